/// What a parser accepts beyond the grammar of RFC 8259.
public struct JSONParserOptions: Sendable {
    /// Reject fractions, exponents and integers outside ±(2^53−1), as
    /// [canonical JSON](https://spec.matrix.org/v1.19/appendices/#canonical-json) demands.
    public var integersOnly: Bool
    /// How deep arrays and objects may be nested.
    public var maximumDepth: Int

    /// - Parameters:
    ///   - integersOnly: Reject numbers that canonical JSON does not know.
    ///   - maximumDepth: Levels of nesting.
    public init(integersOnly: Bool = false, maximumDepth: Int = 100) {
        self.integersOnly = integersOnly
        self.maximumDepth = maximumDepth
    }

    /// For bodies of requests: any JSON number.
    public static let lenient = JSONParserOptions()
    /// For events of room version 6 and later.
    public static let canonical = JSONParserOptions(integersOnly: true)
    /// For bodies from other servers: numbers of any kind, since old rooms' events hold them, and room for the deepest events.
    public static let federation = JSONParserOptions(maximumDepth: maximumEventDepth + 10)
    /// For what this server has stored after checking it.
    public static let stored = JSONParserOptions(maximumDepth: maximumStoredDepth)

    /// How deep an event may be nested. More than in requests: an event that other servers of the room take should not be refused here.
    public static let maximumEventDepth = 200
    private static let maximumStoredDepth = 10_000
}
