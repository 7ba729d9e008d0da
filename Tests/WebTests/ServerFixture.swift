import Matrix
import TestSupport

@testable import Web

/// A server on a free port, with the routes a test asks for.
struct ServerFixture: Sendable {
    let server: HTTPServer
    let port: Int
    var client: TestHTTPClient { TestHTTPClient(port: port) }

    static func run<Value: Sendable>(
        configure: (inout HTTPServerConfiguration) -> Void = { _ in }, errors: ErrorRenderer = ErrorRenderer(),
        routes: (Router) -> Void, _ body: (ServerFixture) async throws -> Value
    ) async throws -> Value {
        var configuration = HTTPServerConfiguration()
        configuration.threads = 1
        configuration.sweepInterval = .milliseconds(20)
        configure(&configuration)
        let router = Router()
        router.add(.get("/hello")) { _ in .json(200, Array(#"{"hello":"world"}"#.utf8)) }
        router.add(.post("/echo")) { request in
            guard case .bytes(let bytes) = request.body else { throw MatrixError.internalError }
            return HTTPResponse(headers: ["Content-Type": "application/octet-stream"], body: .bytes(bytes))
        }
        routes(router)
        let server = HTTPServer(configuration: configuration, errors: errors)
        do {
            let bound = try await server.start([Listener(.tcp(host: "127.0.0.1", port: 0), router: router)])
            let value = try await body(ServerFixture(server: server, port: bound[0].port ?? 0))
            await server.shutdown(deadline: .seconds(2))
            return value
        } catch {
            await server.shutdown(deadline: .zero)
            throw error
        }
    }

    static func run<Value: Sendable>(_ body: (ServerFixture) async throws -> Value) async throws -> Value {
        try await run(routes: { _ in }, body)
    }

    /// Runs blocking steps on a socket of their own.
    func socket<Value: Sendable>(_ steps: @escaping @Sendable (TestSocket) throws -> Value) async throws -> Value {
        try await onThread { [port] in try steps(try TestSocket(port: port)) }
    }
}

/// Waits until something holds, for ten seconds at most.
func eventually(_ condition: @Sendable () -> Bool) async throws -> Bool {
    for _ in 0..<1_000 {
        if condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return condition()
}
