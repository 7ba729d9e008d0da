import Homeserver
import Matrix
import Web

/// [GET /pushrules/global/{kind}/{ruleId}/actions](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidactions):
/// what a rule does.
struct GetPushRuleActions: Endpoint {
    static let routes: [Route] = .client(.get, "/pushrules/global/{kind}/{ruleId}/actions")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    typealias Request = PushRulePath

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        let rule = try await rules.rule(request.kind, request.id, of: caller.userID)
        return ["actions": .array(rule.actions.map(\.json))]
    }
}

/// [PUT /pushrules/global/{kind}/{ruleId}/actions](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions):
/// gives a rule other actions.
struct SetPushRuleActions: Endpoint {
    static let routes: [Route] = .client(.put, "/pushrules/global/{kind}/{ruleId}/actions")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    struct Request: RequestDecodable {
        let path: PushRulePath
        let actions: JSON

        init(from input: RequestInput) throws {
            path = try PushRulePath(from: input)
            actions = try input.body.required("actions", as: .rawArray)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await rules.setActions(request.path.kind, request.path.id, request.actions, of: caller.userID)
        return EmptyResponse()
    }
}
