import Matrix
import Store
import Synchronization

/// The servers that administrators allow or deny while the server runs: in the database, and in memory, where every request to and from
/// another server asks for them.
///
/// What the configuration denies stays denied.
public final class FederationRules: Sendable {
    private struct State {
        var allowed: [ServerPattern] = []
        var denied: [ServerPattern] = []
    }

    /// The most rules: each is looked at for each request.
    public static let maximumRules = 1_000

    private let state = Mutex(State())

    /// No rules.
    public init() {}

    /// Reads the rules of the database.
    public func load(from store: Store) async throws { set(try await store.read { try $0.federationRules.all() }) }

    /// Whether a server is spoken with that the configuration does not deny.
    ///
    /// - Parameter isListed: Whether the configuration says so.
    func permits(_ server: ServerName, isListed: Bool) -> Bool {
        state.withLock { state in
            if !state.denied.isEmpty, state.denied.contains(where: { $0.covers(server) }) { return false }
            return isListed || state.allowed.contains { $0.isExactly(server) }
        }
    }

    /// Stores a rule, in the place of one with the same pattern. It holds as soon as this returns.
    ///
    /// - Parameters:
    ///   - pattern: The servers.
    ///   - isAllowed: Whether they are spoken with.
    ///   - actor: Who says so.
    ///   - now: The time, in milliseconds since 1970.
    ///   - store: Where rules are.
    ///   - audit: Hears of it.
    /// - Throws: 400 if there are too many.
    public func add(
        _ pattern: ServerPattern, isAllowed: Bool, by actor: AuditActor, now: Int64, in store: Store,
        audit: AuditTrail
    ) async throws {
        let rule = FederationRule(
            pattern: pattern.description, isAllowed: isAllowed, addedBy: actor.name, addedAt: now)
        try await store.write { [self] writer in
            try audit.note(
                isAllowed ? .federationAllow : .federationDeny, by: actor, on: rule.pattern, in: writer)
            try writer.federationRules.set(rule)
            let all = try writer.read.federationRules.all()
            guard all.count <= Self.maximumRules else {
                throw MatrixError(400, .unknown, "There are \(Self.maximumRules) rules at most")
            }
            writer.sql.onCommit { self.set(all) }
        }
    }

    /// Takes a rule back.
    ///
    /// - Throws: 404 if there is none.
    public func remove(
        _ pattern: ServerPattern, by actor: AuditActor, in store: Store, audit: AuditTrail
    ) async throws {
        try await store.write { [self] writer in
            try audit.note(.federationForget, by: actor, on: pattern.description, in: writer)
            guard try writer.federationRules.remove(pattern.description) else {
                throw MatrixError.notFound("Nothing is said of \(pattern)")
            }
            let all = try writer.read.federationRules.all()
            writer.sql.onCommit { self.set(all) }
        }
    }

    private func set(_ rules: [FederationRule]) {
        state.withLock { state in
            state.allowed = rules.filter(\.isAllowed).compactMap { ServerPattern($0.pattern) }
            state.denied = rules.filter { !$0.isAllowed }.compactMap { ServerPattern($0.pattern) }
        }
    }
}
