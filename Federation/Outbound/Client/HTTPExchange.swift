import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// A request as it goes over the wire.
struct OutgoingRequest: Sendable {
    var method: String
    /// The `Host`.
    var host: String
    /// Path and query.
    var target: String
    var headers: [(name: String, value: String)] = []
    var body: [UInt8]?
}

/// An answer, its body still arriving.
final class IncomingResponse: @unchecked Sendable {
    let status: Int
    let headers: HTTPHeaders
    // There is one reader at a time, as the callers of `next` make sure.
    private var iterator: HTTPClientResponse.Body.AsyncIterator
    private let lease: HTTPPool.Lease

    init(_ response: HTTPClientResponse, _ lease: HTTPPool.Lease) {
        status = Int(response.status.code)
        headers = response.headers
        iterator = response.body.makeAsyncIterator()
        self.lease = lease
    }

    /// The length that is announced.
    var contentLength: Int64? { headers.first(name: "content-length").flatMap { Int64($0) } }

    /// The next piece of the body, or `nil` at its end.
    func next() async throws -> [UInt8]? { try await iterator.next().map { Array(buffer: $0) } }

    /// The whole body, or `nil` if it is longer than that.
    func collect(atMost limit: Int) async throws -> [UInt8]? {
        if let contentLength, contentLength > Int64(limit) { return nil }
        var bytes: [UInt8] = []
        if let contentLength, contentLength > 0 { bytes.reserveCapacity(Int(contentLength)) }
        while let chunk = try await next() {
            guard bytes.count + chunk.count <= limit else { return nil }
            bytes += chunk
        }
        return bytes
    }
}

extension HTTPPool {
    /// Sends a request to one address, and returns when the head of the answer is there.
    func exchange(_ request: OutgoingRequest, with peer: Peer, port: Int) async throws -> IncomingResponse {
        let lease = try lease(peer)
        let host =
            switch peer.certificateName {
            case .domain(let domain): HostName.canonical(domain)
            case .address(let address): address.urlHost
            }
        var outgoing = HTTPClientRequest(url: "https://\(host):\(port)\(request.target)")
        outgoing.method = HTTPMethod(rawValue: request.method)
        outgoing.headers.add(name: "Host", value: request.host)
        for (name, value) in request.headers { outgoing.headers.add(name: name, value: value) }
        if let body = request.body { outgoing.body = .bytes(ByteBuffer(bytes: body)) }
        // The caller's deadline ends the task sooner.
        let response = try await lease.client.execute(outgoing, timeout: .minutes(10))
        return IncomingResponse(response, lease)
    }
}
