/// An error as clients and servers are told of it: a status, a code, a sentence, and perhaps more members.
///
/// [Standard error response](https://spec.matrix.org/v1.19/client-server-api/#standard-error-response).
public struct MatrixError: Error, Sendable, Hashable {
    /// The HTTP status.
    public var status: Int
    /// The `errcode`.
    public var code: ErrorCode
    /// The `error`: a sentence for people.
    public var message: String
    /// Members beside `errcode` and `error`.
    public var extra: JSONObject

    /// An error.
    public init(_ status: Int, _ code: ErrorCode, _ message: String, extra: JSONObject = [:]) {
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra
    }

    /// The body of the response.
    public var body: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        if code != .none {
            writer.member("errcode", code.string)
            writer.member("error", message)
        }
        for member in extra.members { writer.member(member.name.string, member.value) }
        writer.endObject()
        return writer.bytes
    }
}

extension MatrixError {
    /// 400: a value breaks a rule of its own.
    public static func invalidParameter(_ message: String) -> MatrixError { .init(400, .invalidParameter, message) }
    /// 400: something that must be there is missing.
    public static func missingParameter(_ message: String) -> MatrixError { .init(400, .missingParameter, message) }
    /// 400: JSON, but not of the shape that is needed.
    public static func badJSON(_ message: String) -> MatrixError { .init(400, .badJSON, message) }
    /// 400: not JSON.
    public static func notJSON(_ message: String) -> MatrixError { .init(400, .notJSON, message) }
    /// 403: not allowed.
    public static func forbidden(_ message: String) -> MatrixError { .init(403, .forbidden, message) }
    /// 404: nothing there.
    public static func notFound(_ message: String) -> MatrixError { .init(404, .notFound, message) }
    /// 404: no such path.
    public static let unrecognized = MatrixError(404, .unrecognized, "There is nothing at this path")
    /// 405: no such method on this path.
    public static let methodNotAllowed = MatrixError(405, .unrecognized, "This path does not know this method")
    /// 401: the request has no access token.
    public static let missingToken = MatrixError(401, .missingToken, "An access token is needed")
    /// 401: the access token is unknown; with `softLogout` the client may sign in again and keep its keys.
    public static func unknownToken(softLogout: Bool = false) -> MatrixError {
        .init(
            401, .unknownToken, "The access token is unknown or has expired",
            extra: softLogout ? ["soft_logout": true] : [:]
        )
    }
    /// 401: the account is locked; it may come back with its sessions.
    public static let userLocked = MatrixError(401, .userLocked, "This account is locked", extra: ["soft_logout": true])
    /// 403: the account is suspended.
    public static let userSuspended = MatrixError(403, .userSuspended, "This account is suspended")
    /// 413: larger than is accepted.
    public static func tooLarge(_ message: String = "The request is too large") -> MatrixError {
        .init(413, .tooLarge, message)
    }
    /// 429: too many requests.
    public static func limitExceeded(retryAfterMilliseconds: Int64) -> MatrixError {
        .init(
            429, .limitExceeded, "Too many requests", extra: ["retry_after_ms": .integer(retryAfterMilliseconds)]
        )
    }
    /// 503: the server cannot do it now; nothing has been done.
    public static func unavailable(_ message: String = "The server cannot do this at the moment; try again")
        -> MatrixError
    {
        .init(503, .unknown, message)
    }
    /// 500: our own fault.
    public static let internalError = MatrixError(500, .unknown, "Internal server error")
}
