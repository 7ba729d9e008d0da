import Matrix

/// A conference service that the configuration names, and how rooms' calls use it.
public struct Conference: Sendable {
    /// Who makes the meetings.
    public enum Kind: Sendable {
        /// A service that is asked for each, in the name of a user, whom it knows by an address.
        case asked(any MeetingService)
        /// Jitsi, where a meeting is there as soon as somebody comes; with a secret it asks for a token.
        case jitsi(JitsiAccess?)
    }

    /// What the configuration, requests and events call it.
    public var name: String
    /// How meetings are made.
    public var kind: Kind
    /// Where it is, without a slash at the end.
    public var url: String
    /// Whom meetings of rooms let in that not everybody may enter: `trusted` or `restricted`.
    public var privateAccess: String
    /// Whom meetings of rooms let in that everybody may enter: `trusted` or `public`.
    public var openAccess: String
    /// Whose the meetings of users are that have no address: a mail address; `nil`: they cannot start any.
    public var fallbackAddress: String?
    /// Whether clients ring unless the caller says otherwise.
    public var rings: Bool
    /// Whether a widget is placed in the room unless the caller says otherwise.
    public var placesWidget: Bool
    /// What shows that it is the service that tells something; `nil`: it is not heard.
    public var reports: ReportAccess?

    /// What shows that it is a service that tells something.
    public struct ReportAccess: Sendable {
        /// What the service's tokens name as their issuer.
        public var key: String
        /// What they are signed with.
        public var secret: String
        /// Where recordings are seen, without a slash at the end.
        public var recordingsURL: String

        /// Access.
        public init(key: String, secret: String, recordingsURL: String) {
            self.key = key
            self.secret = secret
            self.recordingsURL = recordingsURL
        }
    }

    /// What opens a Jitsi that asks for tokens.
    public struct JitsiAccess: Sendable {
        /// What it calls this server.
        public var appID: String
        /// What tokens are signed with.
        public var secret: String
        /// For whom tokens are.
        public var audience: String
        /// Its own name in tokens.
        public var subject: String
        /// For how long a token lets in, in seconds.
        public var lifetimeSeconds: Int64

        /// Access.
        public init(appID: String, secret: String, audience: String, subject: String, lifetimeSeconds: Int64) {
            self.appID = appID
            self.secret = secret
            self.audience = audience
            self.subject = subject
            self.lifetimeSeconds = lifetimeSeconds
        }
    }

    /// A service.
    public init(
        name: String, kind: Kind, url: String, privateAccess: String = "trusted", openAccess: String = "trusted",
        fallbackAddress: String? = nil, rings: Bool = true, placesWidget: Bool = false, reports: ReportAccess? = nil
    ) {
        self.name = name
        self.kind = kind
        self.url = url
        self.privateAccess = privateAccess
        self.openAccess = openAccess
        self.fallbackAddress = fallbackAddress
        self.rings = rings
        self.placesWidget = placesWidget
        self.reports = reports
    }

    var widgetType: String {
        if case .jitsi = kind { return "jitsi" }
        return "m.video"
    }

    /// Whether meetings that let in whom one level does let in more than another would.
    static func isLaxer(_ level: String, than other: String) -> Bool {
        let levels = ["public", "trusted", "restricted"]
        return levels.firstIndex(of: level) ?? 0 < levels.firstIndex(of: other) ?? 0
    }
}
