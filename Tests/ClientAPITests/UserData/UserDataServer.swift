import ClientAPI
import Database
import Homeserver
import Logging
import Matrix
import RoomEngine
import Store
import TestSupport
import Testing
import Web

/// The endpoints of what belongs to users, over a temporary database. A token is its user's localpart.
struct UserDataServer: Sendable {
    let store: Store
    let rooms: RoomService
    let typing: TypingService
    let router: Router

    /// Runs a test on every engine.
    static func onEachEngine(_ body: (UserDataServer) async throws -> Void) async throws {
        try await withEachEngine { database in
            try await body(try UserDataServer(try await Store.open(database, cacheBytes: 1 << 20)))
        }
    }

    private init(_ store: Store) throws {
        self.store = store
        let serverName = ServerName(trusted: "here.example")
        let clock = FixedTime()
        let source = StoredRoomDirectory(store: store)
        let directory = DirectoryService(store: store, clock: clock, source: source, serverName: serverName)
        rooms = RoomService(
            store: store, clock: clock, randomness: Zeros(), serverName: serverName,
            signingKey: try #require(SigningKey(seed: [UInt8](repeating: 7, count: 32), version: "1")),
            defaultVersion: try #require(RoomVersion(id: "12")), profiles: NoProfiles(),
            aliases: DirectoryAliases(store: store, directory: directory), activeUsers: ActiveUsers(store: store),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let rules = PushRulesService(store: store)
        let presence = PresenceService(store: store, clock: clock, scheduler: NoScheduler())
        typing = TypingService(store: store, clock: clock, scheduler: NoScheduler())
        let environment = EndpointEnvironment(
            authenticator: Names(store: store), rateLimiter: RateLimiter(RateLimits(isEnabled: false)) { 0 })
        router = Router()
        router.addAccountDataRoutes(
            accountData: AccountDataService(store: store, pushRules: rules), tags: TagService(store: store),
            in: environment)
        router.addFilterRoutes(filters: FilterService(store: store), in: environment)
        router.addReceiptRoutes(
            receipts: ReceiptService(store: store, clock: clock), presence: presence, in: environment)
        router.addTypingRoutes(typing: typing, presence: presence, in: environment)
        router.addPresenceRoutes(presence: presence, in: environment)
        router.addPushRuleRoutes(rules: rules, in: environment)
        router.addDirectoryRoutes(
            directory: directory,
            publicRooms: PublicRoomsService(store: store, source: source, serverName: serverName), rooms: rooms,
            in: environment)
    }

    /// An answer.
    struct Answer {
        let status: Int
        let body: JSON
        var code: String? { body["errcode"]?.string }
        var text: String { String(decoding: body.bytes, as: UTF8.self) }
    }

    /// Asks something below `/_matrix/client/v3`.
    func ask(_ method: HTTPMethod, _ path: String, _ body: String? = nil, as user: String? = "alice") async throws
        -> Answer
    {
        let target = path.utf8.first == UInt8(ascii: "/") ? path : "/_matrix/client/v3/\(path)"
        let response = await router.respond(
            method, target, headers: user.map { ["Authorization": "Bearer \($0)"] } ?? [:],
            body: .bytes(Array((body ?? "").utf8)))
        guard case .bytes(let bytes) = response.body else { return Answer(status: response.status, body: .emptyObject) }
        return Answer(status: response.status, body: try JSON(parsing: bytes))
    }

    /// A user of this server.
    func user(_ name: String) async throws -> Requester {
        let id = try #require(UserID("@\(name):here.example"))
        return Requester(id: id, number: try await store.intern(id), device: DeviceID("DEVICE"))
    }

    /// A public room.
    func room(_ creator: Requester, _ members: [Requester] = [], _ room: NewRoom = NewRoom()) async throws -> RoomID {
        var room = room
        room.preset = .publicChat
        let id = try await rooms.create(room, by: creator)
        for member in members { try await rooms.join(id, by: member) }
        return id
    }

    struct FixedTime: Clock { let now: Int64 = 1_700_000_000_000 }
    struct Zeros: Randomness { func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) } }
    struct NoScheduler: Scheduler { func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void) {} }
    struct NoProfiles: MemberProfiles {
        func memberProfile(of user: UserID) async throws -> MemberProfile { MemberProfile() }
    }

    struct Names: Authenticator {
        let store: Store
        func authenticate(
            accessToken: String, masquerade: Masquerade?, for request: HTTPRequest
        ) async throws -> Caller {
            guard let user = UserID("@\(accessToken):here.example") else { throw MatrixError.missingToken }
            return Caller(userID: user, userNumber: try await store.intern(user).rawValue, deviceID: DeviceID("DEVICE"))
        }
    }
}
