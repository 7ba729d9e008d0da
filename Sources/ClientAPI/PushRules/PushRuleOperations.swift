import Homeserver
import Matrix
import Web

/// [GET /pushrules/global/{kind}/{ruleId}](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleid): a rule.
struct GetPushRule: Endpoint {
    static let routes: [Route] = .client(.get, "/pushrules/global/{kind}/{ruleId}")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    typealias Request = PushRulePath

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try await rules.rule(request.kind, request.id, of: caller.userID).json
    }
}

/// [PUT /pushrules/global/{kind}/{ruleId}](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid): adds a
/// rule or replaces what it says.
struct SetPushRule: Endpoint {
    static let routes: [Route] = .client(.put, "/pushrules/global/{kind}/{ruleId}")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    struct Request: RequestDecodable {
        let path: PushRulePath
        let body: JSON
        let before: String?
        let after: String?

        init(from input: RequestInput) throws {
            path = try PushRulePath(from: input)
            body = try input.body.json
            before = try input.query("before", as: .string)
            after = try input.query("after", as: .string)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await rules.put(
            request.path.kind, request.path.id, request.body, before: request.before, after: request.after,
            of: caller.userID)
        return EmptyResponse()
    }
}

/// [DELETE /pushrules/global/{kind}/{ruleId}](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid):
/// removes a rule.
struct DeletePushRule: Endpoint {
    static let routes: [Route] = .client(.delete, "/pushrules/global/{kind}/{ruleId}")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    typealias Request = PushRulePath

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await rules.remove(request.kind, request.id, of: caller.userID)
        return EmptyResponse()
    }
}
