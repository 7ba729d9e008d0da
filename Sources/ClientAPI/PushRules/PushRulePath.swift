import Homeserver
import Matrix
import Web

/// The path of a push rule. Of scopes there is one, `global`, which the routes name.
struct PushRulePath: RequestDecodable {
    let kind: PushRulesService.Kind
    let id: String

    init(from input: RequestInput) throws {
        kind = try Self.kind(input)
        id = try input.path("ruleId")
    }

    /// The kind in the path.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if there is no such kind.
    static func kind(_ input: RequestInput) throws -> PushRulesService.Kind {
        guard let kind = PushRulesService.Kind(name: try input.path("kind")) else {
            throw MatrixError.invalidParameter("There is no such kind of push rule")
        }
        return kind
    }
}
