import Homeserver
import Matrix
import Store
import Web

/// `GET /_synapse/admin/v1/federation/destinations`: the servers that this one sends to.
///
/// Query: that of ``SynapsePage``, `order_by`.
struct ListSynapseDestinations: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/federation/destinations")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    private enum Order: String {
        case destination
        case lastTry = "retry_last_ts"
        case interval = "retry_interval"
        case failure = "failure_ts"
        case sent = "last_successful_stream_ordering"

        func key(_ record: DestinationRecord) -> Int64 {
            switch self {
            case .destination: 0
            case .lastTry: record.failures > 0 ? record.lastAttempt ?? 0 : 0
            case .interval: record.failures > 0 ? record.intervalMilliseconds : 0
            case .failure: record.firstFailure ?? 0
            case .sent: record.sentThrough.rawValue
            }
        }
    }

    struct Request: RequestDecodable {
        let page: SynapsePage
        let key: @Sendable (DestinationRecord) -> Int64

        init(from input: RequestInput) throws {
            page = try SynapsePage(from: input)
            let order: Order = try input.query("order_by", as: .choice) ?? .destination
            key = { order.key($0) }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let page = request.page
        // They come in the order of their names, which the order by something else keeps.
        let all = try await services.destinations().enumerated().map {
            ($0.offset, request.key($0.element), $0.element)
        }
        let sorted = all.sorted { left, right in
            if left.1 != right.1 { return (left.1 < right.1) != (page.isDescending ?? false) }
            return left.0 < right.0
        }
        var found = sorted.map(\.2)
        if page.isDescending == true, all.allSatisfy({ $0.1 == 0 }) { found.reverse() }
        let list = found.dropFirst(page.offset).prefix(page.limit).map(SynapseDestination.json)
        var json: JSONValue = ["destinations": .array(list), "total": .integer(Int64(found.count))]
        if let next = page.next(after: list.count, of: found.count) { json["next_token"] = .string("\(next)") }
        return json
    }
}

/// `GET /_synapse/admin/v1/federation/destinations/{serverName}`: how sending to a server goes.
struct GetSynapseDestination: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/federation/destinations/{serverName}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: ServerNameRequest, caller: Operator) async throws -> JSONValue {
        SynapseDestination.json(try await services.destination(request.server))
    }
}

/// `GET /_synapse/admin/v1/federation/destinations/{serverName}/rooms`: the rooms in which both that server and this one are.
///
/// Query: that of ``SynapsePage``.
struct ListSynapseDestinationRooms: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/federation/destinations/{serverName}/rooms")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let server: ServerName
        let page: SynapsePage

        init(from input: RequestInput) throws {
            server = try input.path("serverName")
            page = try SynapsePage(from: input)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let destination = try await services.destination(request.server)
        let page = request.page
        let local = services.accounts.serverName
        let rooms = try await services.store.read { reader -> [(id: RoomID, position: StreamPosition)] in
            let numbers = try reader.serverMembers.sharedRooms(of: request.server, with: local)
            return try reader.rooms.rooms(numbers).map { ($0.id, $0.position) }
        }
        var sorted = rooms.sorted { $0.id.string.utf8.lexicographicallyPrecedes($1.id.string.utf8) }
        if page.isDescending == true { sorted.reverse() }
        let list = sorted.dropFirst(page.offset).prefix(page.limit).map { room -> JSONValue in
            // What was sent is noted for the server, not for each room.
            let sent = min(room.position.rawValue, destination.sentThrough.rawValue)
            return ["room_id": .string(room.id.string), "stream_ordering": .integer(sent)]
        }
        var json: JSONValue = ["rooms": .array(list), "total": .integer(Int64(sorted.count))]
        if let next = page.next(after: list.count, of: sorted.count) { json["next_token"] = .string("\(next)") }
        return json
    }
}

/// `POST /_synapse/admin/v1/federation/destinations/{serverName}/reset_connection`: tries a server now that could not be reached.
struct ResetSynapseDestination: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/federation/destinations/{serverName}/reset_connection")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: ServerNameRequest, caller: Operator) async throws -> EmptyResponse {
        guard try await services.destination(request.server).failures > 0 else {
            throw MatrixError(400, .unknown, "No attempt to reach this server has failed")
        }
        try await services.store.write(
            services.noting(.federationRetry, on: request.server.string, by: caller))
        guard let queue = services.queue, try await queue.retry(request.server) else {
            throw MatrixError.notFound("Nothing was ever sent to \(request.server)")
        }
        return EmptyResponse()
    }
}

/// A server that this one sends to, as Synapse describes it. Times are milliseconds since 1970.
private enum SynapseDestination {
    static func json(_ record: DestinationRecord) -> JSONValue {
        let fails = record.failures > 0
        return [
            "destination": .string(record.server.string),
            "retry_last_ts": .integer(fails ? record.lastAttempt ?? 0 : 0),
            "retry_interval": .integer(fails ? record.intervalMilliseconds : 0),
            "failure_ts": record.firstFailure.json,
            "last_successful_stream_ordering": record.lastSuccess == nil
                ? .null : .integer(record.sentThrough.rawValue),
        ]
    }
}

extension SynapseServices {
    fileprivate func destination(_ server: ServerName) async throws -> DestinationRecord {
        guard let record = try await store.read({ try $0.destinations.destination(server) }) else {
            throw MatrixError.notFound("Nothing was ever sent to \(server)")
        }
        return record
    }

    fileprivate func destinations() async throws -> [DestinationRecord] {
        var found: [DestinationRecord] = []
        while true {
            let page = try await store.read { [last = found.last?.server] in
                try $0.destinations.destinations(after: last, limit: 1_000)
            }
            found += page
            if page.count < 1_000 { return found }
        }
    }
}
