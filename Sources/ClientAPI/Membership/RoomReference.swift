import Homeserver
import Matrix
import Web

/// A room as people name it: by identifier or by alias.
enum RoomReference: Sendable {
    case id(RoomID)
    case alias(RoomAlias)

    /// - Throws: 400 `M_INVALID_PARAM` if it is neither.
    init(_ text: String) throws {
        if let id = RoomID(text) {
            self = .id(id)
        } else if let alias = RoomAlias(text) {
            self = .alias(alias)
        } else {
            throw MatrixError.invalidParameter("\(text) is neither a room ID nor a room alias")
        }
    }

    /// The room, and servers that may be in it beside those of `via`.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if an alias leads nowhere.
    func resolve(_ rooms: RoomService, via: [ServerName]) async throws -> ResolvedAlias {
        switch self {
        case .id(let id): return ResolvedAlias(room: id, servers: via)
        case .alias(let alias):
            var resolved = try await rooms.resolve(alias)
            resolved.servers = via + resolved.servers
            return resolved
        }
    }
}

extension RequestInput {
    /// The servers that a client says may be in the room: `via` and, from older clients, `server_name`. What is no server name is
    /// left out.
    var servers: [ServerName] {
        (request.query.all("via") + request.query.all("server_name")).prefix(50).compactMap { ServerName($0) }
    }
}
