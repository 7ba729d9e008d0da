import Homeserver
import Web

extension Router {
    /// Serves push rules.
    public func addPushRuleRoutes(rules: PushRulesService, in environment: EndpointEnvironment) {
        add(GetPushRules(rules: rules), in: environment)
        add(GetGlobalPushRules(rules: rules), in: environment)
        add(GetPushRulesOfKind(rules: rules), in: environment)
        add(GetPushRule(rules: rules), in: environment)
        add(SetPushRule(rules: rules), in: environment)
        add(DeletePushRule(rules: rules), in: environment)
        add(GetPushRuleEnabled(rules: rules), in: environment)
        add(SetPushRuleEnabled(rules: rules), in: environment)
        add(GetPushRuleActions(rules: rules), in: environment)
        add(SetPushRuleActions(rules: rules), in: environment)
        add(RefusePushRulePath(), in: environment)
    }
}
