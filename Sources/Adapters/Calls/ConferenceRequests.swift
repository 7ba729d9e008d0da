import AsyncHTTPClient
import Homeserver
import Matrix
import NIOCore
import NIOHTTP1

/// Requests of conference services, and what their answers mean.
struct ConferenceRequests: Sendable {
    /// How a request is sent.
    struct Call: Sendable {
        var method: NIOHTTP1.HTTPMethod = .GET
        var url: String
        var token: String?
        var contentType: String?
        var body: [UInt8]?
        /// The `code` of an answer that there is no such thing; any other 404 is somebody else's. `nil`: every 404 says so.
        var absence: String?
    }

    let outside: OutsideRequests
    let timeoutMilliseconds: Int64

    /// Sends a request.
    ///
    /// - Returns: The body of an answer that says that it is done.
    func send(_ call: Call) async throws(ConferenceFailure) -> JSON {
        var request = HTTPClientRequest(url: call.url)
        request.method = call.method
        if let token = call.token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let type = call.contentType { request.headers.add(name: "Content-Type", value: type) }
        request.headers.add(name: "Accept", value: "application/json")
        if let body = call.body { request.body = .bytes(ByteBuffer(bytes: body)) }
        guard let answer = await outside.answer(to: request, timeoutMilliseconds: timeoutMilliseconds) else {
            throw .noAnswer
        }
        switch answer.status {
        case 200..<300:
            guard let json = try? JSON(parsing: answer.body), json.isObject else { throw .malformed }
            return json
        case 401: throw .unauthorized
        case 403: throw .forbidden
        case 404:
            if let absence = call.absence {
                let code = (try? JSON(parsing: answer.body))?["code"]?.string
                guard code?.utf8.elementsEqual(absence.utf8) == true else { throw .broken(status: 404) }
            }
            throw .notFound
        case 408: throw .noAnswer
        case 429: throw .limited(retryAfterMilliseconds: answer.retryAfterSeconds.map { $0 * 1_000 })
        default: throw .broken(status: answer.status)
        }
    }
}
