import AsyncHTTPClient
import Homeserver
import NIOCore

extension OutsideRequests: AppServiceTransport {
    /// Makes a request of an application service.
    public func send(_ request: AppServiceRequest) async -> AppServiceReply {
        guard let client = client() else { return .failed("this server is stopping") }
        var outgoing = HTTPClientRequest(url: request.url)
        switch request.method {
        case .get: outgoing.method = .GET
        case .put: outgoing.method = .PUT
        case .post: outgoing.method = .POST
        }
        outgoing.headers.add(name: "Authorization", value: "Bearer \(request.token)")
        if let body = request.body {
            outgoing.headers.add(name: "Content-Type", value: "application/json")
            outgoing.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            let response = try await client.execute(outgoing, timeout: .milliseconds(request.timeoutMilliseconds))
            let body = try await response.body.collect(upTo: Self.maximumBytes)
            return .answer(status: Int(response.status.code), body: Array(body.readableBytesView))
        } catch let error as HTTPClientError
            where [.connectTimeout, .readTimeout, .deadlineExceeded, .tlsHandshakeTimeout].contains(error)
        {
            return .timedOut
        } catch {
            return .failed("\(error)")
        }
    }
}
