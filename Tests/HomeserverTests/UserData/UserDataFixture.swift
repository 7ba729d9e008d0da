import Database
import Homeserver
import Logging
import Matrix
import RoomEngine
import Store
import Synchronization
import TestSupport
import Testing

/// A store on an engine, rooms in it, and the services of what belongs to users.
struct UserDataFixture: Sendable {
    static let serverName = ServerName(trusted: "here.example")

    let store: Store
    let clock = ManualClock()
    let scheduler = ManualScheduler()
    let judges = WordJudges()
    let rooms: RoomService
    let accountData: AccountDataService
    let receipts: ReceiptService
    let unread: UnreadCounts
    let directory: DirectoryService
    let publicRooms: PublicRoomsService
    let presence: PresenceService
    let typing: TypingService

    init(_ store: Store) throws {
        self.store = store
        let source = StoredRoomDirectory(store: store)
        let key = try #require(SigningKey(seed: [UInt8](repeating: 7, count: 32), version: "1"))
        directory = DirectoryService(store: store, clock: clock, source: source, serverName: Self.serverName)
        rooms = RoomService(
            store: store, clock: clock, randomness: CountingRandomness(), serverName: Self.serverName, signingKey: key,
            defaultVersion: try #require(RoomVersion(id: "12")), profiles: NoProfiles(),
            aliases: DirectoryAliases(store: store, directory: directory), activeUsers: ActiveUsers(store: store),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        accountData = AccountDataService(store: store, pushRules: StoredRules())
        receipts = ReceiptService(store: store, clock: clock)
        unread = UnreadCounts(store: store, judges: judges)
        publicRooms = PublicRoomsService(store: store, source: source, serverName: Self.serverName)
        presence = PresenceService(store: store, clock: clock, scheduler: scheduler)
        typing = TypingService(store: store, clock: clock, scheduler: scheduler)
    }

    /// Runs a test on every engine, each time on an empty store.
    static func onEachEngine(_ body: (UserDataFixture) async throws -> Void) async throws {
        try await withEachEngine { database in
            try await body(try UserDataFixture(try await Store.open(database, cacheBytes: 1 << 20)))
        }
    }

    /// A user of this server.
    func user(_ name: String) async throws -> Requester {
        let id = try #require(UserID("@\(name):here.example"))
        return Requester(id: id, number: try await store.intern(id), device: DeviceID("DEVICE"))
    }

    /// A room that anyone may join, with its members.
    func room(_ creator: Requester, _ members: [Requester] = [], _ room: NewRoom = NewRoom()) async throws -> RoomID {
        var room = room
        room.preset = .publicChat
        // The identifier of a room is the hash of its creation: two that are alike in everything would be one.
        _ = clock.tick()
        let id = try await rooms.create(room, by: creator)
        for member in members { try await rooms.join(id, by: member) }
        return id
    }

    /// Sends a text message, in a thread or not.
    @discardableResult
    func send(_ body: String, to room: RoomID, by sender: Requester, thread: EventID? = nil) async throws -> EventID {
        var content: JSONValue = ["msgtype": "m.text", "body": .string(body)]
        if let thread {
            content["m.relates_to"] = ["rel_type": "m.thread", "event_id": .string(thread.string)]
        }
        return try await rooms.send(
            .message, content: content.json, transactionID: "\(clock.tick())", to: room, by: sender)
    }

    /// What a user has not read now.
    func counts(_ user: Requester, _ room: RoomID) async throws -> RoomCounts {
        let number = try #require(try await store.number(of: room))
        return try await unread.counts(user.number, number, through: store.journal.end)
    }

    /// A clock that moves when it is told to.
    final class ManualClock: Clock {
        private let time = Mutex<Int64>(1_700_000_000_000)
        var now: Int64 { time.withLock { $0 } }
        func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
        func tick() -> Int64 {
            time.withLock { time in
                time += 1
                return time
            }
        }
    }

    /// Keeps what is to be called, until the test calls it.
    final class ManualScheduler: Scheduler {
        private let waiting = Mutex<[(Int64, @Sendable () -> Void)]>([])
        var delays: [Int64] { waiting.withLock { $0.map(\.0) } }
        func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void) {
            waiting.withLock { $0.append((milliseconds, action)) }
        }
        func fire() {
            let actions = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            for (_, action) in actions { action() }
        }
    }

    /// Bytes that are all different.
    final class CountingRandomness: Randomness {
        private let next = Mutex<UInt64>(0)
        func bytes(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in
                next.withLock { next in
                    next = next &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    return UInt8(next >> 56)
                }
            }
        }
    }

    struct NoProfiles: MemberProfiles {
        func memberProfile(of user: UserID) async throws -> MemberProfile { MemberProfile() }
    }

    /// Shows stored push rules as they are.
    struct StoredRules: PushRulesRendering {
        func render(_ stored: [UInt8]?, for user: UserID) throws -> [UInt8] {
            stored ?? Array(#"{"global":{}}"#.utf8)
        }
    }

    /// Notifies of messages, and highlights those that say `loud`; says how many it was shown.
    final class WordJudges: NotificationJudges {
        struct Judge: NotificationJudge {
            let judges: WordJudges
            func judge(_ event: Event) -> Homeserver.Notification {
                judges.shown.withLock { $0 += 1 }
                guard event.type == .message else { return .none }
                let body = event.content["body"]?.string ?? ""
                return Notification(notifies: body != "quiet", highlights: body == "loud")
            }
        }

        let shown = Mutex(0)
        func judge(for user: UserNumber, in room: RoomNumber) async throws -> any NotificationJudge {
            Judge(judges: self)
        }
    }
}

/// The code of the error that `body` throws, or `nil`.
func errorCode(_ body: () async throws -> Void) async throws -> ErrorCode? {
    do {
        try await body()
        return nil
    } catch let error as MatrixError {
        return error.code
    }
}
