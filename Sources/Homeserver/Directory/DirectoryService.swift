import Matrix
import Store

/// Room aliases, and whether rooms are listed.
///
/// [Room aliases](https://spec.matrix.org/v1.19/client-server-api/#room-aliases).
public final class DirectoryService: Sendable {
    /// How many aliases a room may have.
    public static let maximumAliasesPerRoom = 500
    /// How many servers are named as being in a room.
    static let maximumServers = 20

    private let store: Store
    private let clock: any Clock
    private let source: any RoomDirectorySource
    private let remote: any RemoteDirectory
    private let serverName: ServerName
    private let provision: any Provision
    /// Services that may have aliases for themselves.
    public let appServices: AppServices

    /// A service.
    public init(
        store: Store, clock: any Clock, source: any RoomDirectorySource,
        remote: any RemoteDirectory = NoRemoteDirectory(), serverName: ServerName,
        appServices: AppServices = .none, provision: any Provision = NoProvision()
    ) {
        self.store = store
        self.clock = clock
        self.source = source
        self.remote = remote
        self.serverName = serverName
        self.appServices = appServices
        self.provision = provision
    }

    // MARK: Aliases

    /// What an alias stands for, here or at the server that it names.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func resolve(_ alias: RoomAlias) async throws -> ResolvedAlias {
        guard alias.server == serverName else {
            guard let found = try await remote.resolve(alias) else { throw Self.noAlias }
            return found
        }
        var known = try await store.read { try $0.aliases.alias(alias) }
        if known == nil, await provision.provide(alias) {
            known = try await store.read { try $0.aliases.alias(alias) }
        }
        guard let record = known else { throw Self.noAlias }
        var servers = try await source.servers(in: record.room, limit: Self.maximumServers)
        servers.removeAll { $0 == serverName }
        servers.insert(serverName, at: 0)
        return ResolvedAlias(room: try await store.room(record.room), servers: servers)
    }

    /// Makes an alias for a room that the user is in, or that an application service gives a name of its own.
    ///
    /// - Parameter service: The application service that does it, if one does.
    /// - Throws: 400 `M_INVALID_PARAM` for an alias of another server, or with white space, `M_EXCLUSIVE`; 403 `M_FORBIDDEN` if the
    ///   user is not in the room; 409 `M_ROOM_IN_USE` if the alias exists.
    public func create(
        _ alias: RoomAlias, for room: RoomID, by user: UserID, service: String? = nil
    ) async throws {
        try check(alias)
        try appServices.checkMayChange(alias, by: service)
        let number = try await store.intern(user)
        let now = clock.now
        guard let room = try await store.number(of: room) else { throw Self.notJoined }
        try await store.write { writer in
            if service == nil {
                guard try writer.read.memberships.membership(of: number, in: room)?.membership == .join else {
                    throw Self.notJoined
                }
            }
            guard try writer.read.aliases.aliases(of: room).count < Self.maximumAliasesPerRoom else {
                throw MatrixError(400, .resourceLimitExceeded, "This room has as many aliases as a room may have")
            }
            try Self.insert(AliasRecord(alias: alias, room: room, creator: number, created: now), writer)
        }
    }

    /// Makes the alias of a room that is being created, in the transaction that creates it.
    ///
    /// - Throws: As ``create(_:for:by:)``.
    public func create(
        _ alias: RoomAlias, for room: RoomNumber, by user: UserNumber, in writer: StoreWriter
    ) throws {
        try check(alias)
        try Self.insert(AliasRecord(alias: alias, room: room, creator: user, created: clock.now), writer)
    }

    /// Removes an alias: whoever made it may, who may set the room's main alias, an application service of whose
    /// namespace it is, and administrators.
    ///
    /// - Returns: The room that it stood for, whose `m.room.canonical_alias` may still name it.
    /// - Throws: 404 `M_NOT_FOUND`; 403 `M_FORBIDDEN`; 400 `M_EXCLUSIVE`.
    @discardableResult
    public func remove(
        _ alias: RoomAlias, by user: UserID, isAdministrator: Bool = false, service: String? = nil
    ) async throws -> RoomID {
        if !isAdministrator { try appServices.checkMayChange(alias, by: service) }
        let number = try await store.intern(user)
        guard let record = try await store.read({ try $0.aliases.alias(alias) }) else { throw Self.noAlias }
        if record.creator != number, !isAdministrator, service == nil {
            try await source.requirePower(user, toSend: .canonicalAlias, in: record.room)
        }
        let removed = try await store.write { writer in
            // What was allowed is to remove the alias of that room.
            guard try writer.read.aliases.alias(alias)?.room == record.room else { return false }
            return try writer.aliases.remove(alias)
        }
        guard removed else { throw Self.noAlias }
        return try await store.room(record.room)
    }

    /// The aliases of a room that this server knows, for those who may read the room.
    ///
    /// - Throws: 403 `M_FORBIDDEN` if the user is not in the room and not everyone may read it.
    public func aliases(of room: RoomID, for user: UserID, isAdministrator: Bool = false) async throws -> [RoomAlias] {
        let number = try await store.intern(user)
        guard let room = try await store.number(of: room) else { throw Self.notJoined }
        if !isAdministrator,
            try await store.read({ try $0.memberships.membership(of: number, in: room)?.membership }) != .join,
            try await !source.isWorldReadable(room)
        {
            throw Self.notJoined
        }
        return try await store.read { try $0.aliases.aliases(of: room) }
    }

    /// Whether an alias stands for a room: what `m.room.canonical_alias` may name.
    public func alias(_ alias: RoomAlias, standsFor room: RoomID) async throws -> Bool {
        do { return try await resolve(alias).room == room } catch let error as MatrixError where error.status == 404 {
            return false
        }
    }

    // MARK: Visibility

    /// Whether a room is listed.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if the room is unknown here.
    public func isPublished(_ room: RoomID) async throws -> Bool {
        guard let number = try await store.number(of: room),
            let record = try await store.read({ try $0.rooms.room(number) })
        else { throw MatrixError.notFound("This room is not known here") }
        return record.isPublished
    }

    /// Lists a room, or no longer: whoever may set the room's main alias may, and administrators.
    ///
    /// - Throws: 404 `M_NOT_FOUND`; 403 `M_FORBIDDEN`.
    public func setPublished(
        _ isPublished: Bool, _ room: RoomID, by user: UserID, isAdministrator: Bool = false
    ) async throws {
        guard let number = try await store.number(of: room) else {
            throw MatrixError.notFound("This room is not known here")
        }
        if !isAdministrator { try await source.requirePower(user, toSend: .canonicalAlias, in: number) }
        try await store.write { try $0.rooms.setPublished(number, isPublished) }
    }

    /// Lists a room as one of a network that an application service leads to, or no longer.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func setPublished(_ isPublished: Bool, _ room: RoomID, in network: AppServiceNetwork) async throws {
        guard let number = try await store.number(of: room) else {
            throw MatrixError.notFound("This room is not known here")
        }
        try await store.write { writer in
            guard try writer.read.rooms.room(number) != nil else {
                throw MatrixError.notFound("This room is not known here")
            }
            try writer.appServices.setListed(isPublished, number, service: network.service, network: network.name)
        }
    }

    // MARK: -

    private static let noAlias = MatrixError.notFound("There is no such room alias")
    private static let notJoined = MatrixError.forbidden("You are not in this room")

    private func check(_ alias: RoomAlias) throws {
        guard alias.server == serverName else {
            throw MatrixError.invalidParameter("Aliases of \(alias.server) are made there, not here")
        }
        guard !alias.localpart.isEmpty, !alias.localpart.unicodeScalars.contains(where: \.properties.isWhitespace)
        else {
            throw MatrixError.invalidParameter("An alias needs a name, without white space")
        }
    }

    private static func insert(_ alias: AliasRecord, _ writer: StoreWriter) throws {
        guard try writer.aliases.insert(alias) else {
            throw MatrixError(409, .unknown, "This room alias exists already")
        }
    }
}
