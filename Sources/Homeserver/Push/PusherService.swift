import Matrix
import Store

/// The pushers that users' applications ask for.
///
/// [Push notifications](https://spec.matrix.org/v1.19/client-server-api/#push-notifications). ``PushSender`` tells their gateways.
public final class PusherService: Sendable {
    /// How many pushers a user may have.
    public static let maximumPushers = 100

    private let store: Store
    private let clock: any Clock
    private let users: PushUsers
    private let allowsLoopback: Bool
    private let sendsMail: Bool

    /// - Parameters:
    ///   - store: Where pushers are kept.
    ///   - clock: Tells the time.
    ///   - users: Who has pushers.
    ///   - allowsLoopback: Whether a gateway may be on this machine, and then without TLS.
    ///   - sendsMail: Whether users are told of what they have not read by mail, if they want.
    public init(store: Store, clock: any Clock, users: PushUsers, allowsLoopback: Bool, sendsMail: Bool = false) {
        self.store = store
        self.clock = clock
        self.users = users
        self.allowsLoopback = allowsLoopback
        self.sendsMail = sendsMail
    }

    /// A user's pushers.
    public func pushers(of user: UserNumber) async throws -> [PusherRecord] {
        try await store.read { try $0.pushers.pushers(of: user) }
    }

    /// Sets a pusher.
    ///
    /// - Parameter keepsOthers: Whether other users' pushers of the same installation stay.
    /// - Throws: 400 `M_INVALID_PARAM` for one that breaks a rule, `M_RESOURCE_LIMIT_EXCEEDED` for too many.
    public func set(_ pusher: PusherRecord, keepsOthers: Bool) async throws {
        let isMail = try check(pusher)
        let now = clock.now
        try await store.write { [users] writer in
            if isMail { try Self.checkAddress(of: pusher, writer.read) }
            let isKnown = { (known: PusherRecord) in
                known.appID.utf8.elementsEqual(pusher.appID.utf8)
                    && known.pushKey.utf8.elementsEqual(pusher.pushKey.utf8)
            }
            let others = try writer.read.pushers.pushers(of: pusher.user).filter { !isKnown($0) }
            guard others.count < Self.maximumPushers else {
                throw MatrixError(
                    400, .resourceLimitExceeded, "An account may have \(Self.maximumPushers) pushers at most")
            }
            var changed = [pusher.user]
            if !keepsOthers {
                changed += try writer.pushers.deleteOthers(
                    appID: pusher.appID, pushKey: pusher.pushKey, than: pusher.user)
            }
            try writer.pushers.set(pusher, now: now)
            try users.update(changed, in: writer)
        }
    }

    /// Removes a pusher, if it is there.
    public func delete(appID: String, pushKey: String, of user: UserNumber) async throws {
        try await store.write { [users] writer in
            try writer.pushers.delete(appID: appID, pushKey: pushKey, of: user)
            try users.update([user], in: writer)
        }
    }

    /// Refuses what breaks a rule.
    ///
    /// - Returns: Whether it sends mail.
    private func check(_ pusher: PusherRecord) throws -> Bool {
        let isMail = pusher.kind.utf8.elementsEqual("email".utf8)
        guard pusher.kind.utf8.elementsEqual("http".utf8) || isMail && sendsMail else {
            throw MatrixError.invalidParameter("This server knows no pushers of this kind")
        }
        let lengths = [
            ("app_id", pusher.appID, 64), ("pushkey", pusher.pushKey, 512),
            ("app_display_name", pusher.appDisplayName, 255), ("device_display_name", pusher.deviceDisplayName, 255),
            ("lang", pusher.language, 64), ("profile_tag", pusher.profileTag ?? "", 255),
        ]
        for (name, text, limit) in lengths where text.utf8.count > limit || text.utf8.contains(0) {
            throw MatrixError.invalidParameter("\(name) has \(limit) bytes at most")
        }
        guard !pusher.appID.isEmpty, !pusher.pushKey.isEmpty else {
            throw MatrixError.invalidParameter("app_id and pushkey must not be empty")
        }
        guard pusher.data.count <= 16_384 else { throw MatrixError(413, .tooLarge, "data is too large") }
        if isMail { return true }
        guard let address = try JSON(parsing: pusher.data)["url"]?.string.flatMap({ PushGatewayAddress($0) }),
            address.isSecure || allowsLoopback
        else {
            throw MatrixError.invalidParameter("data.url must be an https address that ends in /_matrix/push/v1/notify")
        }
        return false
    }

    /// Mail goes to addresses only that the user has shown to be theirs.
    private static func checkAddress(of pusher: PusherRecord, _ reader: StoreReader) throws {
        guard let address = EmailAddress(pusher.pushKey),
            try reader.addresses.owner(of: address.string) == pusher.user
        else { throw MatrixError(400, "M_THREEPID_NOT_FOUND", "The account does not have this address") }
    }
}
