import Matrix
import Store

/// What rooms need of the directory of aliases.
public protocol RoomAliases: Sendable {
    /// The room that an alias of this server leads to, or `nil`.
    func room(of alias: RoomAlias) async throws -> RoomNumber?
    /// What an alias leads to, here or at the server that it names, and which servers are there.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    func resolve(_ alias: RoomAlias) async throws -> ResolvedAlias
    /// Gives a new alias to a room.
    ///
    /// - Throws: 400 `M_ROOM_IN_USE` if the alias leads somewhere already.
    func claim(_ alias: RoomAlias, for room: RoomNumber, by user: UserNumber, in writer: StoreWriter) throws
    /// Lets all aliases of a room lead to another.
    func move(from old: RoomNumber, to new: RoomNumber, in writer: StoreWriter) throws
}
