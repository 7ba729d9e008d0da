import Matrix
import Store

/// What the server has to say to its users: in a room of its own with each of them, in which they cannot speak.
///
/// [Server notices](https://spec.matrix.org/v1.19/client-server-api/#server-notices)
public final class ServerNotices: Sendable {
    /// The tag of the rooms.
    public static let tag = "m.server_notice"

    private let policy: ServerNoticesPolicy
    private let rooms: RoomService
    private let accounts: AccountService
    private let tags: TagService
    private let profiles: ProfileService
    private let store: Store

    /// - Parameters:
    ///   - policy: Who speaks, and how.
    ///   - rooms: Where they speak.
    ///   - accounts: Makes the account of who speaks.
    ///   - tags: Mark the rooms for clients.
    ///   - profiles: Have the name and picture of who speaks.
    public init(
        policy: ServerNoticesPolicy, rooms: RoomService, accounts: AccountService, tags: TagService,
        profiles: ProfileService
    ) {
        self.policy = policy
        self.rooms = rooms
        self.accounts = accounts
        self.tags = tags
        self.profiles = profiles
        store = rooms.store
    }

    /// Why there can be no notices.
    public struct AccountInUse: Error {
        /// Whose account it is.
        public let user: UserID
    }

    /// Makes the account of who speaks, unless it is there, and gives it its name and picture.
    ///
    /// - Throws: ``AccountInUse`` if it is somebody's, who can sign in.
    public func start() async throws {
        let user = policy.user
        if let account = try await store.read({ try $0.accounts.account(user) }) {
            guard account.passwordHash == nil, account.appService == nil, account.flags.isEmpty else {
                throw AccountInUse(user: user)
            }
        } else {
            _ = try await accounts.create(
                NewAccount(userID: user, passwordHash: nil, displayName: policy.displayName), device: nil)
        }
        let known = try? await profiles.profile(of: user)
        if known?["displayname"]?.string != policy.displayName {
            try await profiles.set("displayname", to: JSONValue.string(policy.displayName).json, of: user)
        }
        if let picture = policy.avatarURL, known?["avatar_url"]?.string != picture {
            try await profiles.set("avatar_url", to: JSONValue.string(picture).json, of: user)
        }
    }

    /// Says something to a user of this server.
    ///
    /// - Parameters:
    ///   - stateKey: If it is to become the room's state.
    ///   - transactionID: A name for it; said again under that name, it is said once.
    /// - Returns: The event.
    /// - Throws: 404 `M_NOT_FOUND` if there is no such user (any more); 400 for a user of another server.
    public func send(
        _ content: JSON, type: EventType = .message, stateKey: String? = nil, transactionID: String? = nil,
        to recipient: UserID
    ) async throws -> EventID {
        guard recipient.isLocal(to: rooms.serverName) else {
            throw MatrixError.invalidParameter("Notices go to users of this server")
        }
        guard let account = try await store.read({ try $0.accounts.account(recipient) }), recipient != policy.user,
            !account.flags.contains(.deactivated), account.appService == nil
        else { throw MatrixError.notFound("There is no such user") }
        let room = try await room(of: account)
        if let stateKey {
            return try await rooms.setState(type, key: stateKey, content: content, in: room, by: try await speaker())
        }
        return try await rooms.send(
            type, content: content, transactionID: transactionID, to: room, by: try await speaker())
    }

    private func speaker() async throws -> Requester {
        Requester(
            id: policy.user, number: try await store.intern(policy.user),
            transactionDevice: DeviceID("server_notices"))
    }

    /// The user's room, in which they are or are invited to be.
    private func room(of account: AccountRecord) async throws -> RoomID {
        let known = try await store.read { try $0.serverNotices.room(of: account.user) }
        let room: RoomID
        if let known { room = try await store.room(known) } else { room = try await makeRoom(for: account) }
        try await tag(room, for: account.userID)
        let number = try await rooms.number(of: room)
        let membership = try await store.read {
            try $0.memberships.membership(of: account.user, in: number)?.membership
        }
        if membership != .join, membership != .invite {
            // Who has left is called back: there is something to say.
            try await rooms.inviteToNotices(account.userID, to: room, by: try await speaker())
        }
        if membership != .join, policy.joinsRecipients {
            try await rooms.join(room, by: Requester(id: account.userID, number: account.user))
        }
        return room
    }

    private func makeRoom(for account: AccountRecord) async throws -> RoomID {
        var new = NewRoom()
        new.preset = .privateChat
        new.name = policy.roomName
        new.creationContent = ["m.federate": false]
        new.powerLevelOverride = JSONValue.object(["users_default": -10]).json
        if let picture = policy.avatarURL {
            new.initialState = [
                .init(type: .avatar, key: "", content: JSONValue.object(["url": .string(picture)]).json)
            ]
        }
        let made = try await rooms.create(new, by: try await speaker())
        let number = try await rooms.number(of: made)
        let isFirst = try await store.write { try $0.serverNotices.set(number, of: account.user) }
        if isFirst { return made }
        // Two notices at once: the other's room is the one. This one nobody has been told of.
        try await rooms.leave(made, by: try await speaker())
        guard let other = try await store.read({ try $0.serverNotices.room(of: account.user) }) else {
            throw MatrixError.internalError
        }
        return try await store.room(other)
    }

    private func tag(_ room: RoomID, for user: UserID) async throws {
        if try await tags.tags(of: user, room: room)[Self.tag] != nil { return }
        try await tags.set(Self.tag, JSON.emptyObject, of: user, room: room)
    }
}

extension RoomService {
    /// Invites somebody to the room in which the server speaks to them, whether or not they want to be invited.
    func inviteToNotices(_ target: UserID, to room: RoomID, by user: Requester) async throws {
        let number = try await number(of: room)
        let content = try await memberContent(target, .invite)
        _ = try await submit(
            EventDraft(sender: user.id, state: .member, key: target.string, content: content), to: number)
    }

    /// Refuses to let somebody refuse what the server has to say to them.
    ///
    /// - Throws: 403 `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM`.
    func checkMayDecline(_ room: RoomNumber, _ user: Requester) async throws {
        let isNotice = try await store.read { reader in
            guard try reader.memberships.membership(of: user.number, in: room)?.membership == .invite else {
                return false
            }
            return try reader.serverNotices.room(of: user.number) == room
        }
        guard isNotice else { return }
        throw MatrixError(
            403, .cannotLeaveServerNoticeRoom, "This is an invitation to what the server has to say to you")
    }
}
