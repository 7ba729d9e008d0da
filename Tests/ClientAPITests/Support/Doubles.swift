import Homeserver
import Matrix
import Synchronization

/// A clock that stands still until it is moved.
final class ManualClock: Homeserver.Clock {
    private let time = Mutex<Int64>(1_700_000_000_000)

    var now: Int64 { time.withLock { $0 } }

    func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// Randomness that is the same in each run, and never the same twice in one.
final class SeededRandomness: Randomness {
    private let state: Mutex<UInt64>

    init(seed: UInt64 = 1) { state = Mutex(seed) }

    func bytes(_ count: Int) -> [UInt8] {
        state.withLock { state in
            (0..<count).map { _ in
                // SplitMix64.
                state &+= 0x9E37_79B9_7F4A_7C15
                var mixed = state
                mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
                mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
                return UInt8(truncatingIfNeeded: mixed ^ (mixed >> 31))
            }
        }
    }
}

/// Rooms, as far as accounts know of them: takes note of what is asked.
final class NotedRooms: RoomDeparture, ProfilePropagation {
    struct Failure: Error {}

    private struct State {
        var departed: [UserID] = []
        var profiles: [String] = []
        var isFailing = false
    }

    private let state = Mutex(State())

    var departed: [UserID] { state.withLock { $0.departed } }
    var profiles: [String] { state.withLock { $0.profiles } }
    var isFailing: Bool {
        get { state.withLock { $0.isFailing } }
        set { state.withLock { $0.isFailing = newValue } }
    }

    func leaveAllRooms(_ user: UserID) async throws {
        try state.withLock { state in
            if state.isFailing { throw Failure() }
            state.departed.append(user)
        }
    }

    func profileChanged(of user: UserID) async throws {
        state.withLock { $0.profiles.append(user.string) }
    }
}

/// One remote user with a profile.
struct OneRemoteProfile: RemoteProfiles {
    func profile(of user: UserID, field: String?) async throws -> JSON {
        guard user.string == "@rita:elsewhere.example" else { throw MatrixError.notFound("No such user") }
        return try JSON(parsing: #"{"displayname":"Rita"}"#)
    }
}

/// A mailer that takes note of what it is given.
final class NotedMail: Mailer {
    private let state = Mutex<(mails: [Mail], isFailing: Bool)>(([], false))

    var mails: [Mail] { state.withLock { $0.mails } }
    var isFailing: Bool {
        get { state.withLock { $0.isFailing } }
        set { state.withLock { $0.isFailing = newValue } }
    }

    func send(_ mail: Mail) async throws {
        try state.withLock { state in
            if state.isFailing { throw MatrixError.unavailable() }
            state.mails.append(mail)
        }
    }

    /// Path and query of the link in the last mail.
    var link: String? {
        let line = mails.last?.text.split(separator: "\n").first { $0.hasPrefix("https://") }
        return line.map { String($0.trimmingPrefix("https://matrix.chappe.example")) }
    }
}

/// A network without identity servers.
struct NoIdentityServers: IdentityTransport {
    func ask(
        _ url: String, isConfigured: Bool, authorization: String?, body: [UInt8]?
    ) async -> (status: Int, body: [UInt8])? { nil }
}
