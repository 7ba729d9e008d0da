import Homeserver
import Matrix
import Store
import Web

/// What the endpoints for rules about other servers work with.
struct FederationRuleServices: Sendable {
    let policy: FederationPolicy
    let administration: AdministrationServices
}

/// `GET /_chappe/admin/v1/federation/rules`: which servers are spoken with.
///
/// Answer: `mode`; `rules`, each with `pattern`, `allowed`, `source` (`configuration` or `administrator`), and of those of administrators
/// `added_by`, `added_ts`.
struct ListFederationRules: Endpoint {
    static let routes = [Route.get("/_chappe/admin/v1/federation/rules")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: FederationRuleServices

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Operator) async throws -> JSONValue {
        func configured(_ pattern: ServerPattern, _ isAllowed: Bool) -> JSONValue {
            [
                "pattern": .string(pattern.description), "allowed": .bool(isAllowed),
                "source": "configuration",
            ]
        }
        let policy = services.policy
        let added = try await services.administration.store.read { try $0.federationRules.all() }
        return [
            "mode": .string(policy.modeName),
            "rules": .array(
                policy.deniedPatterns.map { configured($0, false) }
                    + policy.allowedPatterns.map { configured($0, true) }
                    + added.map { rule in
                        [
                            "pattern": .string(rule.pattern), "allowed": .bool(rule.isAllowed),
                            "source": "administrator", "added_by": .string(rule.addedBy),
                            "added_ts": .integer(rule.addedAt),
                        ]
                    }),
        ]
    }
}

/// `POST /_chappe/admin/v1/federation/rules`: allows or denies servers, from now on.
///
/// Body: `pattern` (a server name, or `*.` and a domain), `allowed`.
struct AddFederationRule: Endpoint {
    static let routes = [Route.post("/_chappe/admin/v1/federation/rules")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: FederationRuleServices

    struct Request: RequestDecodable {
        let pattern: ServerPattern
        let isAllowed: Bool

        init(from input: RequestInput) throws {
            let text = try input.body.required("pattern", as: .string)
            pattern = try ServerPattern(checking: text)
            isAllowed = try input.body.required("allowed", as: .bool)
        }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        if request.isAllowed, services.policy.deniedPatterns.contains(request.pattern) {
            throw MatrixError(
                409, .unknown, "The configuration denies \(request.pattern): that holds whatever is said here")
        }
        let administration = services.administration
        try await services.policy.rules.add(
            request.pattern, isAllowed: request.isAllowed, by: caller.actor, now: administration.clock.now,
            in: administration.store, audit: administration.audit)
        return EmptyResponse()
    }
}

/// `DELETE /_chappe/admin/v1/federation/rules/{pattern}`: takes back what was said of servers.
struct DeleteFederationRule: Endpoint {
    static let routes = [Route.delete("/_chappe/admin/v1/federation/rules/{pattern}")]
    static let authentication = Authentication<Operator>.administering
    static let rateLimit = RateLimitClass.none

    let services: FederationRuleServices

    struct Request: RequestDecodable {
        let pattern: ServerPattern

        init(from input: RequestInput) throws { pattern = try ServerPattern(checking: try input.path("pattern")) }
    }

    func handle(_ request: Request, caller: Operator) async throws -> EmptyResponse {
        let administration = services.administration
        try await services.policy.rules.remove(
            request.pattern, by: caller.actor, in: administration.store, audit: administration.audit)
        return EmptyResponse()
    }
}

extension ServerPattern {
    /// A pattern that somebody has written.
    ///
    /// - Throws: 400 `M_INVALID_PARAM`.
    init(checking text: String) throws(MatrixError) {
        guard text.utf8.count <= 255, let pattern = ServerPattern(text) else {
            throw .invalidParameter("\(text) is neither a server name nor *. and a domain")
        }
        self = pattern
    }
}

extension Router {
    /// Adds the administration endpoints for rules about other servers.
    ///
    /// - Parameters:
    ///   - policy: Which servers are spoken with.
    ///   - administration: What our own endpoints work with.
    ///   - environment: What endpoints have in common.
    public func addFederationRuleRoutes(
        policy: FederationPolicy, _ administration: AdministrationServices, in environment: EndpointEnvironment
    ) {
        let services = FederationRuleServices(policy: policy, administration: administration)
        add(ListFederationRules(services: services), in: environment)
        add(AddFederationRule(services: services), in: environment)
        add(DeleteFederationRule(services: services), in: environment)
    }
}
