import Homeserver
import Matrix
import Store
import Web

/// `POST /_synapse/admin/v1/user/{userId}/media/quarantine`: puts away all files that a user of this server has uploaded, but the protected.
///
/// Answer: `num_quarantined`.
struct QuarantineSynapseUserMedia: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/user/{userId}/media/quarantine")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseUserRequest, caller: Operator) async throws -> JSONValue {
        let account = try await services.account(of: request.user)
        var count = 0
        while true {
            let files = try await services.store.read { try $0.media.spoilable(of: account.user, limit: 100) }
            let done = try await services.quarantine(files, by: caller)
            count += done
            if files.isEmpty || done == 0 { return ["num_quarantined": .integer(Int64(count))] }
        }
    }
}

/// `GET /_synapse/admin/v1/room/{roomId}/media`: the files that events of a room name, of those that are not encrypted.
///
/// Answer: `local`, `remote` (`mxc` URIs).
struct GetSynapseRoomMedia: Endpoint {
    static let routes = [Route.get("/_synapse/admin/v1/room/{roomId}/media")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomRequest, caller: Operator) async throws -> JSONValue {
        let files = try await services.rooms.media(in: request.room)
        let server = services.accounts.serverName
        return [
            "local": .array(files.filter { $0.server == server }.map { .string($0.uri) }),
            "remote": .array(files.filter { $0.server != server }.map { .string($0.uri) }),
        ]
    }
}

/// `POST /_synapse/admin/v1/room/{roomId}/media/quarantine`: puts away the files that events of a room name, but the protected.
///
/// Answer: `num_quarantined`.
struct QuarantineSynapseRoomMedia: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/room/{roomId}/media/quarantine")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    func handle(_ request: SynapseRoomRequest, caller: Operator) async throws -> JSONValue {
        let files = try await services.rooms.media(in: request.room)
        return ["num_quarantined": .integer(Int64(try await services.quarantine(files, by: caller)))]
    }
}

/// `POST /_synapse/admin/v1/purge_media_cache`: deletes copies of other servers' files. Who asks for one of them later gets it anew. When a
/// file was last asked for is not kept: it is when it was fetched that counts.
///
/// Query: `before_ts` (milliseconds since 1970). Answer: `deleted`.
struct PurgeSynapseRemoteMedia: Endpoint {
    static let routes = [Route.post("/_synapse/admin/v1/purge_media_cache")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: SynapseServices

    struct Request: RequestDecodable {
        let before: Int64

        init(from input: RequestInput) throws {
            before = try input.requiredQuery("before_ts", as: .milliseconds)
            guard before >= 0 else { throw MatrixError.invalidParameter("before_ts is negative") }
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        let server = services.accounts.serverName
        var count: Int64 = 0
        while true {
            let files = try await services.store.read {
                try $0.media.fetched(before: request.before, except: server, limit: 100)
            }
            guard !files.isEmpty else { return ["deleted": .integer(count)] }
            let note = services.noting(
                .mediaPurge, on: server.string, by: caller,
                detail: ["before_ts": .integer(request.before), "count": .integer(Int64(files.count))])
            count += try await services.store.write { writer -> Int64 in
                try note(writer)
                return try files.reduce(0) { $0 + (try writer.media.delete($1) ? 1 : 0) }
            }
        }
    }
}

extension SynapseServices {
    /// Puts files away, those that are here and neither protected nor put away before.
    ///
    /// - Returns: How many there were.
    fileprivate func quarantine(_ files: [MediaReference], by caller: Operator) async throws -> Int {
        var count = 0
        for file in files {
            let known = try await store.read { try $0.media.media(file) }
            guard let known, !known.isProtected, !known.isQuarantined else { continue }
            try await media.setQuarantined(
                file, true, by: caller.actor.name, alongside: noting(.mediaQuarantine, on: file.uri, by: caller))
            count += 1
        }
        return count
    }
}
