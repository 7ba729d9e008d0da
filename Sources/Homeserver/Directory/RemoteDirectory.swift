import Matrix

/// What an alias stands for.
public struct ResolvedAlias: Sendable, Equatable {
    /// The room.
    public var room: RoomID
    /// Servers that are in the room and can help to join it.
    public var servers: [ServerName]

    /// An answer.
    public init(room: RoomID, servers: [ServerName]) {
        self.room = room
        self.servers = servers
    }
}

/// The room directories of other servers.
public protocol RemoteDirectory: Sendable {
    /// What an alias of another server stands for, or `nil` if that server cannot be reached or does not know it.
    func resolve(_ alias: RoomAlias) async throws -> ResolvedAlias?

    /// A page of another server's published rooms: a JSON object of the form that clients are answered, whatever that server wrote.
    ///
    /// - Throws: `MatrixError` if that server cannot be reached or refuses.
    func publicRooms(of server: ServerName, _ query: PublicRoomsQuery) async throws -> JSON
}

/// The directories of nobody, for a server that is alone.
public struct NoRemoteDirectory: RemoteDirectory {
    /// No directories.
    public init() {}

    /// Nothing: nobody can be asked.
    public func resolve(_ alias: RoomAlias) async throws -> ResolvedAlias? { nil }

    /// Throws: nobody can be asked.
    public func publicRooms(of server: ServerName, _ query: PublicRoomsQuery) async throws -> JSON {
        throw MatrixError.notFound("\(server) cannot be reached from here")
    }
}
