import Homeserver
import Matrix
import Web

/// [GET /pushrules/](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrules): the caller's push rules.
struct GetPushRules: Endpoint {
    static let routes: [Route] = .client(.get, "/pushrules/")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {}
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try await rules.rules(of: caller.userID).content
    }
}

/// [GET /pushrules/global/](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobal): the caller's push rules
/// without the name of their scope.
struct GetGlobalPushRules: Endpoint {
    static let routes: [Route] = .client(.get, "/pushrules/global/")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    typealias Request = GetPushRules.Request

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        try await rules.rules(of: caller.userID).global
    }
}

/// `GET /pushrules/global/{kind}/`: the caller's push rules of a kind. Part of the specification up to r0.6; clients still ask.
struct GetPushRulesOfKind: Endpoint {
    static let routes: [Route] = .client(.get, "/pushrules/global/{kind}/")
    static let authentication: Authentication<Caller> = .required

    let rules: PushRulesService

    struct Request: RequestDecodable {
        let kind: PushRulesService.Kind

        init(from input: RequestInput) throws { kind = try PushRulePath.kind(input) }
    }

    func handle(_ request: Request, caller: Caller) async throws -> JSONValue {
        .array(try await rules.rules(of: caller.userID).rules(request.kind).map(\.json))
    }
}
