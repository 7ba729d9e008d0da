import Homeserver
import Matrix

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

    /// The room.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if an alias leads nowhere.
    func resolve(_ rooms: RoomService) async throws -> RoomID {
        switch self {
        case .id(let id): id
        case .alias(let alias): try await rooms.resolve(alias)
        }
    }
}
