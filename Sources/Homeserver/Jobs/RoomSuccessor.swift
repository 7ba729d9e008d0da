import Matrix
import RoomEngine
import Store

/// The room that takes the place of one that administrators close: it says why, and nobody but its maker speaks there.
public struct RoomSuccessor: Sendable, Hashable {
    /// Who makes it: a user of this server.
    public let creator: UserID
    /// Its name.
    public let name: String
    /// What is said in it.
    public let message: String

    /// A room.
    public init(creator: UserID, name: String? = nil, message: String? = nil) {
        self.creator = creator
        self.name = name ?? "This room has been closed"
        self.message = message ?? "The room that you were in has been closed by the administrators of this server."
    }

    init?(_ json: JSON?) {
        guard let json, let creator = json["creator"]?.string.flatMap({ UserID($0) }) else { return nil }
        self.init(creator: creator, name: json["name"]?.string, message: json["message"]?.string)
    }

    var json: JSONValue {
        ["creator": .string(creator.string), "name": .string(name), "message": .string(message)]
    }

    /// Makes it.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if its maker has no account here.
    func make(_ rooms: RoomService) async throws -> RoomID {
        guard let account = try await rooms.store.read({ [creator] in try $0.accounts.account(creator) }) else {
            throw MatrixError.notFound("\(creator) has no account here")
        }
        let maker = Requester(id: account.userID, number: account.user)
        var room = NewRoom()
        room.preset = .publicChat
        room.name = name
        room.powerLevelOverride = (["users_default": -10] as JSONValue).json
        let id = try await rooms.create(room, by: maker)
        let content: JSONValue = ["msgtype": "m.text", "body": .string(message)]
        _ = try await rooms.send(.message, content: content.json, transactionID: nil, to: id, by: maker)
        return id
    }

    /// Has the aliases of a room lead to its successor.
    ///
    /// - Returns: The aliases.
    static func moveAliases(from old: RoomID, to new: RoomID, _ rooms: RoomService) async throws -> [RoomAlias] {
        let numbers = (old: try await rooms.number(of: old), new: try await rooms.number(of: new))
        return try await rooms.store.write { writer in
            let aliases = try writer.read.aliases.aliases(of: numbers.old)
            try rooms.aliases.move(from: numbers.old, to: numbers.new, in: writer)
            return aliases
        }
    }
}
