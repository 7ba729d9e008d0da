import Logging
import Matrix

/// An error that means: not now, try again. Nothing of what was asked for has been done.
public protocol UnavailabilityError: Error {
    /// When a client may come back, in seconds.
    var retryAfterSeconds: Int { get }
}

/// Turns errors into responses, in one place.
///
/// [Standard error response](https://spec.matrix.org/v1.19/client-server-api/#standard-error-response).
public struct ErrorRenderer: Sendable {
    private let logger: Logger
    private let mapper: @Sendable (any Error) -> MatrixError?

    /// A renderer.
    ///
    /// - Parameters:
    ///   - logger: Takes note of errors that nobody foresaw.
    ///   - mapper: What errors of other layers mean to clients; `nil` for those it does not know.
    public init(
        logger: Logger = Logger(label: "chappe.http"),
        mapper: @escaping @Sendable (any Error) -> MatrixError? = { _ in nil }
    ) {
        self.logger = logger
        self.mapper = mapper
    }

    /// The response to an error. What clients are told never holds details of an error that nobody foresaw.
    public func response(to error: any Error, request: RequestID, method: HTTPMethod) -> HTTPResponse {
        switch error {
        case let error as MatrixError: return .error(error)
        case is CancellationError, is ClientGone: return Self.unavailable(retryAfterSeconds: 1)
        case let error as any UnavailabilityError:
            logger.warning(
                "temporarily unavailable",
                metadata: [
                    "request": "\(request)", "retry_after_s": "\(error.retryAfterSeconds)",
                    "error": "\(type(of: error))",
                ])
            return Self.unavailable(retryAfterSeconds: error.retryAfterSeconds)
        default:
            if let known = mapper(error) {
                // Clients may try again; whoever runs the server must learn why.
                if known.status >= 500 {
                    logger.warning(
                        "temporarily unavailable", metadata: ["request": "\(request)", "error": "\(error)"])
                }
                return .error(known)
            }
            logger.error(
                "request failed",
                metadata: [
                    "request": "\(request)", "method": "\(method.rawValue)",
                    "error": "\(type(of: error)): \(error)",
                ])
            var answer = MatrixError.internalError
            answer.message = "Internal server error (request \(request))"
            return .error(answer)
        }
    }

    /// What `work` answers, or the response to what it throws.
    func respond(
        to request: RequestID, _ method: HTTPMethod, with work: () async throws -> HTTPResponse
    ) async -> HTTPResponse {
        do {
            return try await work()
        } catch {
            return response(to: error, request: request, method: method)
        }
    }

    private static func unavailable(retryAfterSeconds: Int) -> HTTPResponse {
        var response = HTTPResponse.error(.unavailable())
        response.headers["Retry-After"] = String(max(1, retryAfterSeconds))
        return response
    }
}
