import Matrix

/// Why a conference service did not do what it was asked.
public enum ConferenceFailure: Error, Sendable, Hashable {
    /// There was no answer in time, or no connection.
    case noAnswer
    /// It does not know this server's credentials, or does not let it do that: the administrator's affair.
    case unauthorized
    /// It does not let it do that for this user.
    case forbidden
    /// It was asked too often; when to ask again, in milliseconds, if it says so.
    case limited(retryAfterMilliseconds: Int64?)
    /// It is broken.
    case broken(status: Int)
    /// What it answers is not what its documentation says.
    case malformed
    /// There is no such thing.
    case notFound

    /// Whether it may have done it all the same.
    public var mayHaveHappened: Bool {
        switch self {
        case .noAnswer, .broken, .malformed: true
        case .unauthorized, .forbidden, .limited, .notFound: false
        }
    }
}

/// A service that makes meetings when it is asked to, for somebody whom it knows by an address.
public protocol MeetingService: Sendable {
    /// Makes a meeting.
    ///
    /// - Parameters:
    ///   - address: Whose meeting it is: a mail address.
    ///   - accessLevel: Whom it lets in: `trusted` or `restricted`.
    func make(for address: String, accessLevel: String) async throws(ConferenceFailure) -> MadeMeeting
    /// The newest meetings of somebody, newest first: at most those of one page. It tells whether one was made although no answer came.
    ///
    /// - Returns: `nil` if this server may not know.
    func meetings(of address: String) async throws(ConferenceFailure) -> [MadeMeeting]?
}

/// A meeting that a service has made.
public struct MadeMeeting: Sendable, Hashable {
    /// What the service calls it.
    public let name: String
    /// Where people go.
    public let url: String
    /// Whom it lets in.
    public let accessLevel: String

    /// A meeting.
    public init(name: String, url: String, accessLevel: String) {
        self.name = name
        self.url = url
        self.accessLevel = accessLevel
    }
}

/// A LiveKit, which forwards what people in a call see and hear.
public protocol MediaForwarder: Sendable {
    /// Makes a room, unless it is there.
    ///
    /// - Parameter maximumParticipants: 0 for as many as come.
    func makeRoom(_ name: String, maximumParticipants: Int) async throws(ConferenceFailure)
    /// Whether somebody is in a room.
    func isPresent(_ identity: String, in room: String) async throws(ConferenceFailure) -> Bool
}

/// Makes and reads JSON Web Tokens signed by a secret that both sides have (HS256).
///
/// [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)
public protocol WebTokens: Sendable {
    /// A token that says so.
    func sign(_ claims: JSONValue, secret: String) async throws -> String
    /// What a token says; `nil` if it is not signed with that secret. Whether its time has come or passed is for the caller to see.
    func claims(of token: String, secret: String) async -> JSON?
}

extension MatrixError {
    /// What the caller is told of a conference service that did not do it. `fr.gouv.chappe.conference_error` says why.
    init(_ failure: ConferenceFailure, service: String) {
        let reason: String
        switch failure {
        case .noAnswer:
            self.init(504, .unknown, "The conference service \(service) does not answer; try again later")
            reason = "timeout"
        case .unauthorized:
            self.init(502, .unknown, "The conference service \(service) does not accept this server's credentials")
            reason = "unauthorized"
        case .forbidden:
            self.init(403, .forbidden, "The conference service \(service) does not let you do this")
            reason = "forbidden"
        case .limited(let pause):
            self.init(limitedFor: pause, service)
            reason = "rate_limited"
        case .broken(let status):
            self.init(502, .unknown, "The conference service \(service) is out of order (\(status)); try again later")
            reason = "unavailable"
        case .malformed:
            self.init(502, .unknown, "The conference service \(service) answers what this server does not understand")
            reason = "malformed"
        case .notFound:
            self.init(502, .unknown, "The conference service \(service) does not know what it is asked for")
            reason = "not_found"
        }
        extra["fr.gouv.chappe.conference_error"] = .string(reason)
    }

    private init(limitedFor pause: Int64?, _ service: String) {
        self.init(
            429, .limitExceeded, "The conference service \(service) is asked too often; try again later",
            extra: ["retry_after_ms": .integer(min(max(pause ?? 5_000, 1_000), 3_600_000))])
    }
}
