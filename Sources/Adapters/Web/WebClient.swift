import AsyncHTTPClient
import Homeserver
import NIOCore

/// Gets web pages that anybody may have named. Nothing is asked for compressed, so that what arrives is as long as it seems.
public final class WebClient: WebFetcher {
    private let requests: PermittedRequests
    private let userAgent: String

    private static let maximumHeaderBytes = 32 << 10

    /// - Parameters:
    ///   - requests: Makes the requests.
    ///   - userAgent: Who this is, as the pages' servers are told.
    public init(requests: PermittedRequests, userAgent: String) {
        self.requests = requests
        self.userAgent = userAgent
    }

    /// Sends a GET, and returns when the head of the answer is there.
    public func get(
        _ address: WebAddress, accepts: String, languages: String?, timeoutMilliseconds: Int64
    ) async throws(WebFailure) -> WebAnswer {
        let deadline = NIODeadline.now() + .milliseconds(timeoutMilliseconds)
        do {
            return try await within(milliseconds: timeoutMilliseconds, else: WebFailure.tooSlow) { [self] in
                try await get(address, accepts, languages, deadline)
            }
        } catch let failure as WebFailure {
            throw failure
        } catch {
            throw .unreachable("\(error)")
        }
    }

    private func get(
        _ address: WebAddress, _ accepts: String, _ languages: String?, _ deadline: NIODeadline
    ) async throws -> WebAnswer {
        var request = HTTPClientRequest(url: address.description)
        request.headers.add(name: "User-Agent", value: userAgent)
        request.headers.add(name: "Accept", value: accepts)
        request.headers.add(name: "Accept-Encoding", value: "identity")
        if let languages { request.headers.add(name: "Accept-Language", value: languages) }
        let answer = try await requests.send(request, to: address.host, deadline: deadline)
        let response = answer.response
        let headers = response.headers.map { (name: $0.name.lowercased(), value: $0.value) }
        guard headers.reduce(0, { $0 + $1.name.utf8.count + $1.value.utf8.count }) <= Self.maximumHeaderBytes else {
            throw WebFailure.unreachable("too long a head")
        }
        let encoding = headers.first { $0.name == "content-encoding" }?.value.lowercased() ?? "identity"
        guard encoding == "identity" else { throw WebFailure.unreachable("compressed without being asked to") }
        let body = ArrivingBody(response.body, answer.lease, deadline)
        return WebAnswer(status: Int(response.status.code), headers: headers) { try await body.next() }
    }

    /// A text in UTF-8.
    public func utf8(_ text: [UInt8], in characterSet: String) -> [UInt8]? {
        CharacterConversion.utf8(text, in: characterSet)
    }
}

/// The body of an answer, from a server that may be slow, but not for ever. There is one reader at a time, as ``WebAnswer`` has it.
private final class ArrivingBody: @unchecked Sendable {
    private var iterator: HTTPClientResponse.Body.AsyncIterator
    private let lease: PinnedClients.Lease
    private let deadline: NIODeadline

    init(_ body: HTTPClientResponse.Body, _ lease: PinnedClients.Lease, _ deadline: NIODeadline) {
        iterator = body.makeAsyncIterator()
        self.lease = lease
        self.deadline = deadline
    }

    func next() async throws -> [UInt8]? {
        let left = (deadline - .now()).nanoseconds / 1_000_000
        guard left > 0 else { throw WebFailure.tooSlow }
        do {
            return try await within(milliseconds: left, else: WebFailure.tooSlow) { [self] in
                try await iterator.next().map { Array(buffer: $0) }
            }
        } catch let failure as WebFailure {
            throw failure
        } catch {
            throw WebFailure.unreachable("\(error)")
        }
    }
}
