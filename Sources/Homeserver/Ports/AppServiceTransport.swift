/// A request of an application service.
public struct AppServiceRequest: Sendable {
    /// What is done.
    public enum Method: Sendable {
        /// Asks.
        case get
        /// Tells.
        case put
        /// Tells anew.
        case post
    }

    /// What is done.
    public var method: Method
    /// The whole address, with its query.
    public var url: String
    /// The token that shows the service who asks.
    public var token: String
    /// The body, a JSON text.
    public var body: [UInt8]?
    /// How long the answer may take.
    public var timeoutMilliseconds: Int64

    /// A request.
    public init(
        _ method: Method, _ url: String, token: String, body: [UInt8]? = nil, timeoutMilliseconds: Int64 = 10_000
    ) {
        self.method = method
        self.url = url
        self.token = token
        self.body = body
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// What came of a request of an application service.
public enum AppServiceReply: Sendable {
    /// It answers.
    case answer(status: Int, body: [UInt8])
    /// It cannot be reached, or breaks off: why, for the log.
    case failed(String)
    /// It does not answer in time.
    case timedOut

    /// Whether it answers that all is well.
    public var isSuccess: Bool {
        if case .answer(let status, _) = self { (200..<300).contains(status) } else { false }
    }

    /// Whether it answers that it does not know what is asked.
    public var isUnknownEndpoint: Bool {
        if case .answer(let status, _) = self { [404, 405, 501].contains(status) } else { false }
    }
}

/// Makes requests of application services.
public protocol AppServiceTransport: Sendable {
    /// Makes a request, and waits for what comes of it.
    func send(_ request: AppServiceRequest) async -> AppServiceReply
}
