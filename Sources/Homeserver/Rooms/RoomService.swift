import Logging
import Matrix
import RoomEngine
import Store
import Synchronization

/// Who asks for something: a user of this server, and the device they use.
public struct Requester: Sendable, Hashable {
    /// The user.
    public let id: UserID
    /// The user's number.
    public let number: UserNumber
    /// The device, if the request came from one.
    public let device: DeviceID?
    /// Under which name what is sent twice is known again: the device, or what acts without one.
    public let transactionDevice: DeviceID?

    /// A requester.
    public init(id: UserID, number: UserNumber, device: DeviceID? = nil, transactionDevice: DeviceID? = nil) {
        self.id = id
        self.number = number
        self.device = device
        self.transactionDevice = transactionDevice ?? device
    }
}

/// What a membership event says of a user beside the membership.
public struct MemberProfile: Sendable, Hashable {
    /// The `displayname`.
    public let displayName: String?
    /// The `avatar_url`.
    public let avatarURL: String?

    /// A profile.
    public init(displayName: String? = nil, avatarURL: String? = nil) {
        self.displayName = displayName
        self.avatarURL = avatarURL
    }
}

/// Where membership events get the names and pictures of this server's users.
public protocol MemberProfiles: Sendable {
    /// The profile of a user of this server.
    func memberProfile(of user: UserID) async throws -> MemberProfile
}

/// The rooms of this server: one lane for each that is active, and what can be done with them.
///
/// Operations are in extensions, a file each.
public final class RoomService: Sendable {
    let services: RoomWriterServices
    let profiles: any MemberProfiles
    let aliases: any RoomAliases
    let activeUsers: ActiveUsers
    var stickyFailures: StickyFailures { services.stickyFailures }
    /// Whose invitations users take.
    public let invitePermissions: InvitePermissions
    let defaultVersion: RoomVersion
    /// What is needed to reach other servers; `nil` for a server that is alone.
    let federation: RoomFederation?
    let invitationKeys: (any InvitationKeys)?
    /// Who enters rooms through other servers.
    let entering = RoomGate()
    /// Rooms that are being entered.
    let entries = RoomEntries()
    /// What the access control lists of rooms say of servers.
    let accessDecisions = ServerACLDecisions()
    /// Completes rooms that were entered before all of their memberships were known.
    let partialRooms = PartialRooms()
    /// Fetches history from other servers.
    let backfill = Backfill()
    /// In which rooms this server takes part.
    public let participation: Participation
    let lanes = Mutex<[RoomNumber: RoomLane]>([:])
    private let lastCreation = Mutex<Int64>(0)

    /// Lanes kept for rooms in which nothing happens at the moment.
    private static let idleLaneLimit = 10_000

    /// Where rooms are kept.
    public var store: Store { services.store }

    /// Whether this server is coming into a room through another: what is sent for it is taken over, and waits.
    public func isEntering(_ room: RoomNumber) -> Bool { entries.contains(room) }

    /// This server's name.
    public var serverName: ServerName { services.serverName }

    /// - Parameters:
    ///   - store: The store.
    ///   - serverName: This server's name.
    ///   - signingKey: Has what this server signs events with.
    ///   - defaultVersion: The version of new rooms whose creators do not choose.
    ///   - profiles: Names and pictures for membership events.
    ///   - aliases: The directory of aliases.
    ///   - activeUsers: Who is using their client.
    ///   - federation: What is needed to reach other servers; `nil` for a server that is alone.
    ///   - invitationKeys: Knows whether identity servers' keys still count; `nil`: they always do.
    ///   - invitePermissions: Whose invitations users take; made here if `nil`.
    ///   - callRules: What the administrator has decided about calls; `nil`: nothing.
    public init(
        store: Store, clock: any Clock, randomness: any Randomness, serverName: ServerName,
        signingKey: any SigningKeySource,
        defaultVersion: RoomVersion, profiles: any MemberProfiles, aliases: any RoomAliases,
        activeUsers: ActiveUsers, federation: RoomFederation? = nil, invitePermissions: InvitePermissions? = nil,
        invitationKeys: (any InvitationKeys)? = nil, callRules: CallRules? = nil,
        logger: Logger
    ) {
        services = RoomWriterServices(
            store: store, clock: clock, randomness: randomness, serverName: serverName, signingKeys: signingKey,
            eventNumbers: NumberAllocator(store: store), callRules: callRules, logger: logger
        )
        participation = Participation(store: store, serverName: serverName)
        store.lifetimes.follow { clock.now }
        self.profiles = profiles
        self.aliases = aliases
        self.activeUsers = activeUsers
        self.invitePermissions = invitePermissions ?? InvitePermissions(store: store)
        self.defaultVersion = defaultVersion
        self.federation = federation
        self.invitationKeys = invitationKeys
        store.journal.listen { [weak self] entries in self?.follow(entries) }
    }

    /// A lane whose room was moved by another node reads its head again.
    private func follow(_ entries: ArraySlice<JournalEntry>) {
        for entry in entries {
            guard case .event(let event, _) = entry.change else { continue }
            lanes.withLock { $0[event.room] }?.invalidate(unlessAt: entry.position)
        }
    }

    func lane(_ room: RoomNumber) -> RoomLane {
        lanes.withLock { lanes in
            if let lane = lanes[room] { return lane }
            if lanes.count >= Self.idleLaneLimit {
                for (number, lane) in lanes where lane.isIdle && lanes.count > Self.idleLaneLimit / 2 {
                    lanes[number] = nil
                }
            }
            let lane = RoomLane(number: room, services: services)
            lanes[room] = lane
            return lane
        }
    }

    /// A time for a creation event that no other has. Since room version 12 a room is named after the hash of that event: two that
    /// say the same at the same time would be one room.
    func creationTimestamp() -> Int64 {
        let now = services.clock.now
        return lastCreation.withLock { last in
            last = max(now, last + 1)
            return last
        }
    }

    func add(_ lane: RoomLane) { lanes.withLock { $0[lane.number] = lane } }

    /// The number of a room.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if this server does not know it.
    public func number(of room: RoomID) async throws -> RoomNumber {
        guard let number = try await store.number(of: room) else {
            throw MatrixError.notFound("This server does not know that room")
        }
        return number
    }

    /// The room that an alias leads to, and servers that are in it.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func resolve(_ alias: RoomAlias) async throws -> ResolvedAlias { try await aliases.resolve(alias) }

    /// The room as it is now.
    ///
    /// - Throws: 404 `M_NOT_FOUND` if there is no such room.
    public func view(_ room: RoomNumber) async throws -> RoomView {
        guard let head = try await lane(room).head() else { throw MatrixError.notFound("There is no such room") }
        return RoomView(head: head, store: store)
    }

    /// Sends one event.
    func submit(_ draft: EventDraft, to room: RoomNumber) async throws -> SentEvent {
        try await submit(room) { _ in [draft] }
    }

    /// Sends the one event that `make` makes of the room as it is then.
    func submit(
        _ room: RoomNumber, _ make: @escaping @Sendable (RoomView) async throws -> [EventDraft],
        alongside: (@Sendable (StoreWriter, RoomNumber) throws -> Void)? = nil
    ) async throws -> SentEvent {
        let sent: [SentEvent]
        do {
            sent = try await attempt(room, make, alongside: alongside)
        } catch is MembersMissing {
            try await awaitCompletion(of: room)
            sent = try await attempt(room, make, alongside: alongside)
        }
        guard let last = sent.last else { throw MatrixError.internalError }
        return last
    }

    private func attempt(
        _ room: RoomNumber, _ make: @escaping @Sendable (RoomView) async throws -> [EventDraft],
        alongside: (@Sendable (StoreWriter, RoomNumber) throws -> Void)?
    ) async throws -> [SentEvent] {
        guard let policy = try await policy(of: try await view(room)) else {
            return try await lane(room).send(make, alongside: alongside)
        }
        let sent = try await submit(room, consentedBy: policy, make)
        if let alongside { try await store.write { try alongside($0, room) } }
        return sent
    }

    /// The membership event's content for a user of this server.
    func memberContent(
        _ user: UserID, _ membership: Membership, reason: String? = nil, isDirect: Bool = false
    ) async throws -> JSONValue {
        var content: JSONValue = ["membership": .string(membership.rawValue)]
        if user.isLocal(to: serverName) {
            let profile = try await profiles.memberProfile(of: user)
            if let name = profile.displayName { content["displayname"] = .string(name) }
            if let avatar = profile.avatarURL { content["avatar_url"] = .string(avatar) }
        }
        if let reason { content["reason"] = .string(reason) }
        if isDirect { content["is_direct"] = true }
        return content
    }
}
