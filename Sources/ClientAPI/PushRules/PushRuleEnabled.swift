import Homeserver
import Matrix
import Web

/// [GET /pushrules/global/{kind}/{ruleId}/enabled](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidenabled):
/// whether a rule is looked at.
struct GetPushRuleEnabled: Endpoint {
    static let routes: [Route] = .client(.get, "/pushrules/global/{kind}/{ruleId}/enabled")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    typealias Request = PushRulePath

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        ["enabled": .bool(try await rules.rule(request.kind, request.id, of: caller.userID).isEnabled)]
    }
}

/// [PUT /pushrules/global/{kind}/{ruleId}/enabled](https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidenabled):
/// enables or disables a rule.
struct SetPushRuleEnabled: Endpoint {
    static let routes: [Route] = .client(.put, "/pushrules/global/{kind}/{ruleId}/enabled")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    struct Request: RequestDecodable {
        let path: PushRulePath
        let isEnabled: Bool

        init(from input: RequestInput) throws {
            path = try PushRulePath(from: input)
            isEnabled = try input.body.required("enabled", as: .bool)
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse {
        try await rules.setEnabled(request.path.kind, request.path.id, request.isEnabled, of: caller.userID)
        return EmptyResponse()
    }
}
