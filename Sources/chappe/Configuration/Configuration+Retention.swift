import Homeserver
import Store

extension Configuration.Retention {
    /// The section of that name; `nil` if it does not say that messages end.
    init?(_ node: ConfigurationNode) {
        let isEnabled = node.bool("enabled", default: false)
        /// A number of seconds, in milliseconds; `nil` if there is none.
        func lifetime(_ name: String) -> Int64? {
            let seconds = node.int(name, in: 1...3_153_600_000, default: 0)
            return seconds == 0 ? nil : Int64(seconds) * 1_000
        }
        let shortest = lifetime("shortest_seconds") ?? 0
        let longest = lifetime("longest_seconds")
        policy = RetentionPolicy(standard: lifetime("default_seconds"), shortest: shortest, longest: longest)
        if let longest, longest < shortest { node.refuse("longest_seconds", "must not be below shortest_seconds") }
        purgeEveryMilliseconds = Int64(node.int("purge_every_seconds", in: 1...2_592_000, default: 86_400)) * 1_000
        node.finish()
        if !isEnabled { return nil }
    }
}
