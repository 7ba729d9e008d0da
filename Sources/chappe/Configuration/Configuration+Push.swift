import RoomEngine

extension Configuration {
    /// The push rules that everyone starts with.
    var defaultPushRules: DefaultPushRules {
        let rules: DefaultPushRules = findsMentionsInText ? .withLegacyMentions : .standard
        return followsThreads ? rules.withThreadSubscriptions : rules
    }
}
