import Matrix
import Store
import Synchronization
import Web

/// Whether requests should be sent here: what a load balancer asks.
final class Readiness: Sendable {
    private let store: Store
    private let isDraining = Atomic<Bool>(false)

    init(store: Store) { self.store = store }

    /// From now on they should not.
    func drain() { isDraining.store(true, ordering: .relaxed) }

    /// 200 if they should, else 503; the body says why.
    func response() async -> HTTPResponse {
        guard !isDraining.load(ordering: .relaxed) else { return Self.answer(503, "draining") }
        do {
            _ = try await store.read { try $0.sql.first("SELECT 1") { try $0.int(0) } }
            return Self.answer(200, "ready")
        } catch {
            return Self.answer(503, "database")
        }
    }

    private static func answer(_ status: Int, _ text: String) -> HTTPResponse {
        let body: JSONValue = ["status": .string(text)]
        return HTTPResponse(
            status: status, headers: ["content-type": "application/json", "cache-control": "no-store"],
            body: .bytes(body.serialized()))
    }
}
