import AsyncHTTPClient
import Homeserver
import NIOCore

extension OutsideRequests: AuthenticationServiceTransport {
    private static let authenticationTimeoutMilliseconds: Int64 = 10_000

    /// Makes a request of the service that users sign in at.
    public func ask(
        _ url: String, form: [UInt8]?, fields: [(String, String)]
    ) async -> (status: Int, body: [UInt8])? {
        guard let client = client() else { return nil }
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "Accept", value: "application/json")
        for (name, value) in fields { request.headers.add(name: name, value: value) }
        if let form {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(bytes: form))
        }
        do {
            let response = try await client.execute(
                request, timeout: .milliseconds(Self.authenticationTimeoutMilliseconds))
            let body = try await response.body.collect(upTo: Self.maximumBytes)
            return (Int(response.status.code), Array(body.readableBytesView))
        } catch {
            return nil
        }
    }
}
