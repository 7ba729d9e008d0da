/// An `errcode`.
///
/// [Common error codes](https://spec.matrix.org/v1.19/client-server-api/#common-error-codes).
public struct ErrorCode: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    private let text: ExactString

    /// The code as it is sent.
    public var string: String { text.string }
    /// The text.
    public var description: String { string }

    /// A code of that text.
    public init(_ string: String) { text = ExactString(string) }
    /// A code of that text.
    public init(stringLiteral value: String) { text = ExactString(value) }
}

extension ErrorCode {
    /// No code: for the 401 that asks for user-interactive authentication, which is no failure.
    public static let none: ErrorCode = ""
    /// `M_BAD_ALIAS`.
    public static let badAlias: ErrorCode = "M_BAD_ALIAS"
    /// `M_BAD_JSON`.
    public static let badJSON: ErrorCode = "M_BAD_JSON"
    /// `M_BAD_STATE`.
    public static let badState: ErrorCode = "M_BAD_STATE"
    /// `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM`.
    public static let cannotLeaveServerNoticeRoom: ErrorCode = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM"
    /// `M_CANNOT_OVERWRITE_MEDIA`.
    public static let cannotOverwriteMedia: ErrorCode = "M_CANNOT_OVERWRITE_MEDIA"
    /// `M_DUPLICATE_ANNOTATION`.
    public static let duplicateAnnotation: ErrorCode = "M_DUPLICATE_ANNOTATION"
    /// `M_EXCLUSIVE`.
    public static let exclusive: ErrorCode = "M_EXCLUSIVE"
    /// `M_FORBIDDEN`.
    public static let forbidden: ErrorCode = "M_FORBIDDEN"
    /// `M_GUEST_ACCESS_FORBIDDEN`.
    public static let guestAccessForbidden: ErrorCode = "M_GUEST_ACCESS_FORBIDDEN"
    /// `M_INCOMPATIBLE_ROOM_VERSION`.
    public static let incompatibleRoomVersion: ErrorCode = "M_INCOMPATIBLE_ROOM_VERSION"
    /// `M_INVALID_PARAM`.
    public static let invalidParameter: ErrorCode = "M_INVALID_PARAM"
    /// `M_INVALID_ROOM_STATE`.
    public static let invalidRoomState: ErrorCode = "M_INVALID_ROOM_STATE"
    /// `M_INVALID_USERNAME`.
    public static let invalidUsername: ErrorCode = "M_INVALID_USERNAME"
    /// `M_INVITE_BLOCKED`.
    public static let inviteBlocked: ErrorCode = "M_INVITE_BLOCKED"
    /// `M_INVITE_BLOCKED` before it was in the specification.
    public static let inviteBlockedUnstable: ErrorCode = "ORG.MATRIX.MSC4155.M_INVITE_BLOCKED"
    /// `M_LIMIT_EXCEEDED`.
    public static let limitExceeded: ErrorCode = "M_LIMIT_EXCEEDED"
    /// `M_MISSING_PARAM`.
    public static let missingParameter: ErrorCode = "M_MISSING_PARAM"
    /// `M_MISSING_TOKEN`.
    public static let missingToken: ErrorCode = "M_MISSING_TOKEN"
    /// `M_NOT_FOUND`.
    public static let notFound: ErrorCode = "M_NOT_FOUND"
    /// `M_NOT_JSON`.
    public static let notJSON: ErrorCode = "M_NOT_JSON"
    /// `M_NOT_YET_UPLOADED`.
    public static let notYetUploaded: ErrorCode = "M_NOT_YET_UPLOADED"
    /// `M_RESOURCE_LIMIT_EXCEEDED`.
    public static let resourceLimitExceeded: ErrorCode = "M_RESOURCE_LIMIT_EXCEEDED"
    /// `M_ROOM_IN_USE`.
    public static let roomInUse: ErrorCode = "M_ROOM_IN_USE"
    /// `M_TOO_LARGE`.
    public static let tooLarge: ErrorCode = "M_TOO_LARGE"
    /// `M_UNABLE_TO_AUTHORISE_JOIN`.
    public static let unableToAuthoriseJoin: ErrorCode = "M_UNABLE_TO_AUTHORISE_JOIN"
    /// `M_UNABLE_TO_GRANT_JOIN`.
    public static let unableToGrantJoin: ErrorCode = "M_UNABLE_TO_GRANT_JOIN"
    /// `M_UNAUTHORIZED`.
    public static let unauthorized: ErrorCode = "M_UNAUTHORIZED"
    /// `M_UNKNOWN`.
    public static let unknown: ErrorCode = "M_UNKNOWN"
    /// `M_UNKNOWN_POS`.
    public static let unknownPosition: ErrorCode = "M_UNKNOWN_POS"
    /// `M_UNKNOWN_TOKEN`.
    public static let unknownToken: ErrorCode = "M_UNKNOWN_TOKEN"
    /// `M_UNRECOGNIZED`.
    public static let unrecognized: ErrorCode = "M_UNRECOGNIZED"
    /// `M_UNSUPPORTED_ROOM_VERSION`.
    public static let unsupportedRoomVersion: ErrorCode = "M_UNSUPPORTED_ROOM_VERSION"
    /// `M_USER_DEACTIVATED`.
    public static let userDeactivated: ErrorCode = "M_USER_DEACTIVATED"
    /// `M_USER_IN_USE`.
    public static let userInUse: ErrorCode = "M_USER_IN_USE"
    /// `M_USER_LOCKED`.
    public static let userLocked: ErrorCode = "M_USER_LOCKED"
    /// `M_USER_SUSPENDED`.
    public static let userSuspended: ErrorCode = "M_USER_SUSPENDED"
    /// `M_WEAK_PASSWORD`.
    public static let weakPassword: ErrorCode = "M_WEAK_PASSWORD"
    /// `M_WRONG_ROOM_KEYS_VERSION`.
    public static let wrongRoomKeysVersion: ErrorCode = "M_WRONG_ROOM_KEYS_VERSION"
}
