import Matrix
import Store

/// The directory as rooms see it.
public struct DirectoryAliases: RoomAliases {
    private let store: Store
    private let directory: DirectoryService

    /// The aliases of a directory.
    public init(store: Store, directory: DirectoryService) {
        self.store = store
        self.directory = directory
    }

    /// The room that an alias of this server leads to, or `nil`.
    public func room(of alias: RoomAlias) async throws -> RoomNumber? {
        try await store.read { try $0.aliases.alias(alias)?.room }
    }

    /// What an alias leads to, here or at the server that it names.
    public func resolve(_ alias: RoomAlias) async throws -> ResolvedAlias { try await directory.resolve(alias) }

    /// Gives a new alias to a room.
    public func claim(_ alias: RoomAlias, for room: RoomNumber, by user: UserNumber, in writer: StoreWriter) throws {
        do {
            try directory.create(alias, for: room, by: user, in: writer)
        } catch let error as MatrixError where error.status == 409 {
            // The same is said otherwise to who creates a room:
            // https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom
            throw MatrixError(400, .roomInUse, error.message)
        }
    }

    /// Lets all aliases of a room lead to another.
    public func move(from old: RoomNumber, to new: RoomNumber, in writer: StoreWriter) throws {
        try writer.aliases.move(from: old, to: new)
    }
}
