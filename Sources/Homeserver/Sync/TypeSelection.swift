import Matrix

/// Which event types are wanted: those that match a pattern, or all, but never those that match an excluded one.
public struct TypeSelection: Sendable {
    /// The patterns wanted; `nil` for all types.
    public var included: TypePatterns?
    /// The patterns excluded, even if they are wanted.
    public var excluded: TypePatterns

    /// Every type.
    public static let all = TypeSelection(included: nil, excluded: TypePatterns([]))

    /// Whether nothing is ruled out.
    public var isAll: Bool { included == nil && excluded.isEmpty }

    /// Whether the type is wanted.
    public func allows(_ type: EventType) -> Bool {
        (included?.match(type) ?? true) && !excluded.match(type)
    }
}

/// Patterns of event types, in which `*` stands for any sequence of characters.
public struct TypePatterns: Sendable {
    private var exact: Set<EventType> = []
    /// Each pattern cut at its asterisks.
    private var wild: [[[UInt8]]] = []

    /// Patterns as a client wrote them.
    public init(_ patterns: some Sequence<String>) {
        for pattern in patterns {
            if pattern.utf8.contains(UInt8(ascii: "*")) {
                wild.append(
                    pattern.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init))
            } else {
                exact.insert(EventType(pattern))
            }
        }
    }

    /// Whether there is no pattern, so that nothing matches.
    public var isEmpty: Bool { exact.isEmpty && wild.isEmpty }

    /// The types, if every pattern is one type: then they can be looked up.
    public var exactTypes: Set<EventType>? { wild.isEmpty ? exact : nil }

    /// Whether a type matches one of the patterns.
    public func match(_ type: EventType) -> Bool {
        if exact.contains(type) { return true }
        if wild.isEmpty { return false }
        let text = Array(type.string.utf8)
        return wild.contains { Self.match($0, text) }
    }

    /// The first piece must be at the start and the last at the end; between them taking the first occurrence of each piece
    /// loses nothing, so that no pattern costs more than its length times the text's.
    private static func match(_ pieces: [[UInt8]], _ text: [UInt8]) -> Bool {
        guard let first = pieces.first, let last = pieces.last, first.count + last.count <= text.count,
            text.starts(with: first), text.suffix(last.count).elementsEqual(last)
        else { return false }
        var at = first.count
        let end = text.count - last.count
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let found = find(piece, in: text, from: at, to: end) else { return false }
            at = found + piece.count
        }
        return true
    }

    private static func find(_ piece: [UInt8], in text: [UInt8], from: Int, to end: Int) -> Int? {
        var at = from
        while at + piece.count <= end {
            if text[at..<at + piece.count].elementsEqual(piece) { return at }
            at += 1
        }
        return nil
    }
}
