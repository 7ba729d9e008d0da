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

    public func room(of alias: RoomAlias) async throws -> RoomNumber? {
        try await store.read { try $0.aliases.alias(alias)?.room }
    }

    public func claim(_ alias: RoomAlias, for room: RoomNumber, by user: UserNumber, in writer: StoreWriter) throws {
        try directory.create(alias, for: room, by: user, in: writer)
    }

    public func move(from old: RoomNumber, to new: RoomNumber, in writer: StoreWriter) throws {
        try writer.aliases.move(from: old, to: new)
    }
}
