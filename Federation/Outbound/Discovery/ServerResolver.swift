import Homeserver
import Logging
import Matrix
import NameLookup
import Store

/// Where a server is to be connected to.
struct Route: Sendable {
    /// The `Host` of requests.
    let hostField: String
    /// Where to connect to, in the order in which to try. At least one.
    let endpoints: [Endpoint]
}

/// Finds servers: does what ``Discovery`` says, and remembers for minutes where it has led.
final class ServerResolver: Sendable {
    private struct Known {
        let outcome: Result<Route, RemoteServerFailure>
        let untilTS: Int64
    }

    private let names: any NameResolver
    private let wellKnown: WellKnownResolver
    private let endpoints: EndpointFinder
    private let clock: any Clock
    private let randomness: any Randomness
    private let logger: Logger
    private let known = GenerationalCache<ServerName, Known>(budget: 20_000)
    private let searches = Coalescer<ServerName, Result<Route, RemoteServerFailure>>()

    /// More targets of a service than this are not looked at.
    private static let maximumTargets = 4
    private static let maximumEndpoints = 6
    /// So long it is remembered that a name leads nowhere.
    private static let failureMilliseconds: Int64 = 30_000

    init(
        names: any NameResolver, wellKnown: WellKnownResolver, endpoints: EndpointFinder, clock: any Clock,
        randomness: any Randomness, logger: Logger
    ) {
        self.names = names
        self.wellKnown = wellKnown
        self.endpoints = endpoints
        self.clock = clock
        self.randomness = randomness
        self.logger = logger
    }

    /// Where a server is.
    ///
    /// - Throws: 502 or 503 if its name leads nowhere.
    func route(to server: ServerName) async throws(RemoteServerFailure) -> Route {
        if let found = known[server], clock.now < found.untilTS { return try found.outcome.get() }
        let outcome = await searches.run(server) { [self] in
            let (outcome, lifetime) = await search(server)
            known.insert(server, Known(outcome: outcome, untilTS: clock.now + lifetime))
            return outcome
        }
        guard let outcome else { throw RemoteServerFailure(message: "The request was given up") }
        return try outcome.get()
    }

    /// Looks for the server anew the next time: where it was, it is not.
    func forget(_ server: ServerName) { known.remove(server) }

    /// Tries an endpoint first the next time: it has answered.
    func prefer(_ endpoint: Endpoint, for server: ServerName) {
        guard let found = known[server], case .success(let route) = found.outcome, route.endpoints.first != endpoint
        else { return }
        let rest = route.endpoints.filter { $0 != endpoint }
        let better = Route(hostField: route.hostField, endpoints: [endpoint] + rest)
        known.insert(server, Known(outcome: .success(better), untilTS: found.untilTS))
    }

    private func search(_ server: ServerName) async -> (Result<Route, RemoteServerFailure>, Int64) {
        var discovery = Discovery(server)
        var action = discovery.start()
        while true {
            switch action {
            case .askWellKnown(let host):
                action = discovery.receivedWellKnown(await wellKnown.delegate(of: host))
            case .lookUpServices(let name): action = discovery.receivedServices(await services(name))
            case .finish(let destination): return await connectable(server, destination)
            case .fail(let failure):
                return (.failure(Self.failure(server, failure)), Self.failureMilliseconds)
            }
        }
    }

    /// None if no name server answers: the certificate is the same on whatever way a server is found.
    private func services(_ name: String) async -> [ServiceRecord] {
        do {
            let records = try await names.services(name)
            return ServiceOrder.sorted(records) { bound in
                let bytes = randomness.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                return Int(bytes % UInt64(bound))
            }
        } catch .nothing {
            return []
        } catch {
            logger.info("no SRV records", metadata: ["name": "\(name)", "reason": "\(error)"])
            return []
        }
    }

    private func connectable(
        _ server: ServerName, _ destination: Destination
    ) async -> (Result<Route, RemoteServerFailure>, Int64) {
        var found: [Endpoint] = []
        var lifetime = Int.max
        var failure: AddressFailure?
        for target in destination.targets.prefix(Self.maximumTargets) where found.count < Self.maximumEndpoints {
            do {
                let (endpoints, seconds) = try await endpoints.endpoints(
                    of: target.host, port: target.port, certificateName: destination.certificateName)
                found += endpoints.filter { !found.contains($0) }
                lifetime = min(lifetime, seconds)
            } catch {
                failure = error
            }
        }
        guard !found.isEmpty else {
            logger.info(
                "a server has no address", metadata: ["server": "\(server)", "reason": "\(failure.debugDescription)"])
            return (.failure(Self.failure(server, failure)), Self.failureMilliseconds)
        }
        return (
            .success(
                Route(hostField: destination.hostField, endpoints: Array(found.prefix(Self.maximumEndpoints)))),
            Int64(lifetime) * 1_000
        )
    }

    private static func failure(_ server: ServerName, _ reason: (any Error)?) -> RemoteServerFailure {
        // Whether an address is in a network of this server's own is nobody's business outside.
        RemoteServerFailure(status: 502, message: "\(server) cannot be found")
    }
}
