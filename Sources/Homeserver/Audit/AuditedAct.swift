import Matrix

/// Something that the audit trail tells of. Their names are for good: people search for them.
public enum AuditedAct: String, Sendable, CaseIterable {
    /// A session was started.
    case sessionStart = "session.start"
    /// Sessions of somebody else were ended.
    case sessionEnd = "session.end"
    /// An account was made.
    case userCreate = "user.create"
    /// An account's password was replaced.
    case userPassword = "user.password"
    /// The name that others see was replaced.
    case userDisplayName = "user.displayname"
    /// The picture that others see was replaced.
    case userAvatar = "user.avatar"
    /// An address was given to an account.
    case userEmailAdd = "user.email.add"
    /// An address was taken from an account.
    case userEmailRemove = "user.email.remove"
    /// An account became an administrator's.
    case userAdmin = "user.admin"
    /// An account is an administrator's no more.
    case userUnadmin = "user.unadmin"
    /// An account was locked.
    case userLock = "user.lock"
    /// An account was unlocked.
    case userUnlock = "user.unlock"
    /// An account was suspended.
    case userSuspend = "user.suspend"
    /// An account's suspension was ended.
    case userUnsuspend = "user.unsuspend"
    /// An account was ended.
    case userDeactivate = "user.deactivate"
    /// An account that had been ended was opened again.
    case userReactivate = "user.reactivate"
    /// What a user had said was to be redacted.
    case userRedact = "user.redact"
    /// When an account ends was set, or it was renewed by somebody else.
    case userValidity = "user.validity"
    /// An account speaks to nobody any more, without being told so.
    case userShadowBan = "user.shadow_ban"
    /// An account is heard again.
    case userUnshadowBan = "user.unshadow_ban"
    /// How often a user may do something was set.
    case userRateLimit = "user.rate_limit"
    /// Who a user is to services where they sign in was set.
    case userExternalID = "user.external_id"
    /// A user was allowed to replace their cross-signing keys without showing again who they are.
    case userKeyReplacement = "user.key_replacement"
    /// What a user has read was looked up.
    case userReads = "user.reads"
    /// What is kept of a user was written out.
    case userExport = "user.export"
    /// A server was allowed.
    case federationAllow = "federation.allow"
    /// A server was denied.
    case federationDeny = "federation.deny"
    /// What had been said of a server was taken back.
    case federationForget = "federation.forget"
    /// A registration token was made.
    case tokenCreate = "token.create"
    /// A registration token's limits were changed.
    case tokenUpdate = "token.update"
    /// A registration token was revoked.
    case tokenRevoke = "token.revoke"
    /// Something was said to users for the server.
    case noticeSend = "notice.send"
    /// A room's call was started as one of its members.
    case callStart = "call.start"
    /// A room's call was ended.
    case callEnd = "call.end"
    /// A device was made for somebody.
    case deviceCreate = "device.create"
    /// A device of somebody's was given another name.
    case deviceRename = "device.rename"
    /// A file was deleted.
    case mediaDelete = "media.delete"
    /// A file was put away, so that nobody gets it.
    case mediaQuarantine = "media.quarantine"
    /// A file that had been put away was brought back.
    case mediaUnquarantine = "media.unquarantine"
    /// A file was protected from being put away.
    case mediaProtect = "media.protect"
    /// A file's protection was ended.
    case mediaUnprotect = "media.unprotect"
    /// Copies of other servers' files were deleted.
    case mediaPurge = "media.purge"
    /// A room was closed.
    case roomBlock = "room.block"
    /// A room that had been closed was opened again.
    case roomUnblock = "room.unblock"
    /// Everybody was to be taken out of a room.
    case roomShutdown = "room.shutdown"
    /// Everybody was to be taken out of a room, and nothing of it was to stay.
    case roomPurge = "room.purge"
    /// What was said in a room before a moment was to be removed.
    case roomHistoryPurge = "room.purge_history"
    /// A room was made for somebody.
    case roomCreate = "room.create"
    /// Somebody was to be put into a room.
    case roomJoin = "room.join"
    /// Somebody was given as much power in a room as a user of this server had.
    case roomMakeAdmin = "room.make_admin"
    /// What was said in a room was read.
    case roomRead = "room.read"
    /// A report was deleted.
    case reportDelete = "report.delete"
    /// A server was to be tried at once.
    case federationRetry = "federation.retry"
    /// The server's signing keys were read anew.
    case signingKeysReload = "signing_keys.reload"
    /// All that the server holds was copied.
    case backupCreate = "backup.create"
    /// All that the server holds was replaced by an older copy.
    case backupRestore = "backup.restore"
}

/// Who did something, from where, and why they say that they did it.
public struct AuditActor: Sendable, Hashable {
    /// A user ID, or ``socket``.
    public let name: String
    /// The address they came from; empty for the machine itself.
    public let address: String
    /// Why.
    public let reason: String?

    /// Whoever can open the administration socket of the machine.
    public static let socket = "socket"
    /// Whoever knows the secret by which accounts can be made.
    public static let sharedSecret = "shared_secret"
    /// The service that users sign in at, in this server's place.
    public static let authenticationService = "authentication_service"
    /// The server itself, with an account whose end has come.
    public static let expiry = "expiry"

    /// An actor. Of a reason no more than 1,000 bytes are kept.
    public init(name: String, address: String, reason: String? = nil) {
        self.name = name
        self.address = address
        self.reason = reason.map { String(decoding: $0.utf8.prefix(1_000).filter { $0 != 0 }, as: UTF8.self) }
    }
}
