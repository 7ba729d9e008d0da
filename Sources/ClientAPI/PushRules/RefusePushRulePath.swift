import Matrix
import Web

/// What looks like the path of a [push rule](https://spec.matrix.org/v1.19/client-server-api/#push-rules-api) and is none: another scope than `global`, an attribute that rules do not have, or something left out.
///
/// The paths of old had the scope as a parameter; clients and Sytest expect to be told that theirs is wrong, not that the server does not
/// know push rules.
struct RefusePushRulePath: Endpoint {
    static let routes: [Route] = [HTTPMethod.get, .put, .delete].flatMap { method in
        [
            "/pushrules/{scope}", "/pushrules/{scope}/{kind}", "/pushrules/{scope}/{kind}/{ruleId}",
            "/pushrules/{scope}/{kind}/{ruleId}/{attribute}",
        ].flatMap { [Route].client(method, $0) }
    }
    static let authentication: Authentication<Caller> = .required

    struct Request: RequestDecodable {
        init(from input: RequestInput) throws {
            throw MatrixError.invalidParameter("This is not the path of a push rule, or of something that rules have")
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> EmptyResponse { EmptyResponse() }
}
