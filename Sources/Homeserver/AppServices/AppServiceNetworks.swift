import Matrix
import Store
import Synchronization

/// The networks that application services lead to.
///
/// [Third-party networks](https://spec.matrix.org/v1.19/application-service-api/#third-party-networks)
public final class AppServiceNetworks: ThirdPartyNetworks {
    private struct Known {
        let value: JSONValue?
        let until: Int64
    }

    private let services: AppServices
    private let queries: AppServiceQueries
    private let clock: any Clock
    /// What services say of their protocols, by the place of the service and the name. Bounded by the registrations.
    private let known = Mutex<[String: Known]>([:])

    /// What a service says of a protocol is believed for that time, in milliseconds.
    private static let goodForMilliseconds: Int64 = 3_600_000
    /// That a service says nothing, for that time.
    private static let missingForMilliseconds: Int64 = 10_000
    private static let legacy = "_matrix/app/unstable/"

    /// - Parameters:
    ///   - services: The services.
    ///   - queries: Asks them.
    ///   - clock: Tells the time.
    public init(services: AppServices, queries: AppServiceQueries, clock: any Clock) {
        self.services = services
        self.queries = queries
        self.clock = clock
    }

    /// What is told of each protocol.
    public func protocols() async throws -> JSONObject {
        var found: JSONObject = [:]
        let names = Set(services.all.flatMap(\.protocols).map { ExactString($0) })
        for name in names.sorted() {
            if let value = try await `protocol`(name.string) { found[name.string] = value }
        }
        return found
    }

    /// What is told of a protocol: the fields of the first service, the instances of all.
    public func `protocol`(_ name: String) async throws -> JSONValue? {
        let offering = services.all.enumerated().filter { $1.leads(to: name) }
        let answers = await withTaskGroup(of: (Int, JSONValue?).self) { group in
            for (index, service) in offering {
                group.addTask { (index, await self.description(of: name, by: service, index)) }
            }
            return await group.reduce(into: [Int: JSONValue]()) { $0[$1.0] = $1.1 }
        }
        var merged: JSONObject?
        var instances: [JSONValue] = []
        for (index, service) in offering {
            guard let description = answers[index]?.object else { continue }
            if merged == nil { merged = description }
            instances += (description["instances"]?.list ?? []).map { Self.named($0, service) }
        }
        merged?["instances"] = .array(instances)
        return merged.map { .object($0) }
    }

    /// An instance with the name by which its rooms can be asked for.
    private static func named(_ instance: JSONValue, _ service: AppService) -> JSONValue {
        guard var object = instance.object, let network = object["network_id"]?.string else { return instance }
        object["instance_id"] = .string(AppServiceNetwork(service: service.id, name: network).instanceID)
        return .object(object)
    }

    private func description(of name: String, by service: AppService, _ index: Int) async -> JSONValue? {
        let key = "\(index) \(name)"
        let now = clock.now
        if let known = known.withLock({ $0[key] }), known.until > now { return known.value }
        let reply = await queries.ask(
            service, "thirdparty/protocol/\(PathText.encoded(name))", legacy: Self.legacy)
        let value = Self.json(reply).flatMap { $0.object == nil ? nil : $0 }
        let until = clock.now + (value == nil ? Self.missingForMilliseconds : Self.goodForMilliseconds)
        known.withLock { $0[key] = Known(value: value, until: until) }
        return value
    }

    /// Rooms that stand for places in a network.
    public func locations(in network: String, fields: [(name: String, value: String)]) async throws -> [JSONValue] {
        await collect("location/\(PathText.encoded(network))", fields) { $0.leads(to: network) }
    }

    /// Users who stand for people in a network.
    public func users(in network: String, fields: [(name: String, value: String)]) async throws -> [JSONValue] {
        await collect("user/\(PathText.encoded(network))", fields) { $0.leads(to: network) }
    }

    /// The places that a room stands for.
    public func locations(of alias: RoomAlias) async throws -> [JSONValue] {
        await collect("location", [("alias", alias.string)]) { $0.owns(alias) }
    }

    /// The people that a user stands for.
    public func users(behind user: UserID) async throws -> [JSONValue] {
        await collect("user", [("userid", user.string)]) { $0.owns(user) }
    }

    /// What services answer, those first that are configured first.
    private func collect(
        _ path: String, _ fields: [(name: String, value: String)], from isAsked: (AppService) -> Bool
    ) async -> [JSONValue] {
        let query = fields.map { "\(PathText.encoded($0.name))=\(PathText.encoded($0.value))" }.joined(separator: "&")
        let whole = "thirdparty/\(path)" + (query.isEmpty ? "" : "?\(query)")
        let asked = services.all.filter(isAsked)
        let answers = await withTaskGroup(of: (Int, [JSONValue]).self) { [queries] group in
            for (index, service) in asked.enumerated() {
                group.addTask {
                    (index, Self.json(await queries.ask(service, whole, legacy: Self.legacy))?.list ?? [])
                }
            }
            return await group.reduce(into: [Int: [JSONValue]]()) { $0[$1.0] = $1.1 }
        }
        return asked.indices.flatMap { (answers[$0] ?? []).filter { $0.object != nil } }
    }

    private static func json(_ reply: AppServiceReply) -> JSONValue? {
        guard reply.isSuccess, case .answer(_, let body) = reply else { return nil }
        return (try? JSON(parsing: body))?.value
    }
}

extension JSONValue {
    fileprivate var list: [JSONValue]? { if case .array(let list) = self { list } else { nil } }
}

extension AppService {
    fileprivate func leads(to network: String) -> Bool {
        url != nil && protocols.contains { $0.utf8.elementsEqual(network.utf8) }
    }
}

/// A network whose rooms an application service lists.
public struct AppServiceNetwork: Sendable, Hashable {
    /// The service.
    public let service: String
    /// What it calls the network.
    public let name: String

    /// A network.
    public init(service: String, name: String) {
        self.service = service
        self.name = name
    }

    /// The network that clients mean by a `third_party_instance_id`, or `nil` if it is none of this server.
    public init?(instanceID: String) {
        guard let bar = instanceID.utf8.firstIndex(of: UInt8(ascii: "|")) else { return nil }
        service = String(instanceID[..<bar])
        name = String(instanceID[instanceID.utf8.index(after: bar)...])
    }

    /// How clients name it.
    public var instanceID: String { "\(service)|\(name)" }
}
