import Matrix

/// A [glob-style pattern](https://spec.matrix.org/v1.19/appendices/#glob-style-matching), case-insensitive, ready to be matched.
///
/// However the pattern is made, matching takes time in proportion to its length times the text's.
public struct GlobPattern: Sendable, Hashable {
    private enum Token: Sendable, Hashable {
        case scalar(Unicode.Scalar)
        case anyScalar
        case anything
    }

    /// The pattern as it was written.
    public let text: ExactString
    private let tokens: [Token]
    /// The pattern in lower case, if it has no wildcards.
    private let literal: [UInt8]?

    /// A pattern: `*` stands for any text, `?` for one character.
    public init(_ text: String) {
        self.text = ExactString(text)
        var tokens: [Token] = []
        for scalar in text.lowercased().unicodeScalars {
            switch scalar {
            // Two in a row say no more than one.
            case "*": if tokens.last != .anything { tokens.append(.anything) }
            case "?": tokens.append(.anyScalar)
            default: tokens.append(.scalar(scalar))
            }
        }
        self.tokens = tokens
        literal =
            text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
            ? nil : Array(text.lowercased().utf8)
    }

    /// Whether the pattern matches the whole text.
    public func matches(_ text: String) -> Bool {
        let lowered = text.lowercased()
        if let literal { return lowered.utf8.elementsEqual(literal) }
        return run(Array(lowered.unicodeScalars), inside: false)
    }

    /// Whether the pattern matches a part of the text that begins and ends at a word boundary.
    public func matchesWords(in text: FoldedText) -> Bool {
        if let literal { return text.containsWords(literal) }
        return run(text.scalars, inside: true)
    }

    /// Follows all ways through the pattern at once. `positions` are the places in the pattern that the text read so far leads to.
    private func run(_ scalars: [Unicode.Scalar], inside: Bool) -> Bool {
        var positions: Set<Int> = []
        var order: [Int] = []
        func add(_ start: Int, _ positions: inout Set<Int>, _ order: inout [Int]) {
            var position = start
            while positions.insert(position).inserted {
                order.append(position)
                // Any text may be no text.
                guard position < tokens.count, tokens[position] == .anything else { return }
                position += 1
            }
        }
        for index in 0...scalars.count {
            let isBoundary = inside && FoldedText.isBoundary(scalars, index)
            if inside ? isBoundary : index == 0 { add(0, &positions, &order) }
            if positions.contains(tokens.count), inside ? isBoundary : index == scalars.count { return true }
            guard index < scalars.count, !(order.isEmpty && !inside) else { continue }
            var nextPositions: Set<Int> = []
            var nextOrder: [Int] = []
            for position in order where position < tokens.count {
                switch tokens[position] {
                case .anything: add(position, &nextPositions, &nextOrder)
                case .anyScalar: add(position + 1, &nextPositions, &nextOrder)
                case .scalar(let scalar) where scalar == scalars[index]: add(position + 1, &nextPositions, &nextOrder)
                case .scalar: break
                }
            }
            (positions, order) = (nextPositions, nextOrder)
        }
        return false
    }
}

/// A text in lower case, in which many patterns are looked for.
public final class FoldedText: Sendable {
    private let bytes: [UInt8]
    let scalars: [Unicode.Scalar]

    /// The text in lower case.
    public init(_ text: String) {
        let lowered = text.lowercased()
        bytes = Array(lowered.utf8)
        scalars = Array(lowered.unicodeScalars)
    }

    /// Whether a text without wildcards stands somewhere between two word boundaries. It must be in lower case.
    func containsWords(_ words: [UInt8]) -> Bool {
        guard let first = words.first else {
            return (0...bytes.count).contains { Self.isBoundary(before: byte($0 - 1), after: byte($0)) }
        }
        guard words.count <= bytes.count else { return false }
        for start in 0...(bytes.count - words.count)
        where bytes[start] == first && bytes[start..<start + words.count].elementsEqual(words) {
            let end = start + words.count
            if Self.isBoundary(before: byte(start - 1), after: first),
                Self.isBoundary(before: words.last, after: byte(end))
            {
                return true
            }
        }
        return false
    }

    private func byte(_ index: Int) -> UInt8? { bytes.indices.contains(index) ? bytes[index] : nil }

    static func isBoundary(_ scalars: [Unicode.Scalar], _ index: Int) -> Bool {
        func byte(_ index: Int) -> UInt8? {
            scalars.indices.contains(index) ? UInt8(exactly: scalars[index].value) ?? 0 : nil
        }
        return isBoundary(before: byte(index - 1), after: byte(index))
    }

    /// A word goes on only between two of its characters; both ends of the text are boundaries.
    private static func isBoundary(before: UInt8?, after: UInt8?) -> Bool {
        guard let before, let after else { return true }
        return !(isWordCharacter(before) && isWordCharacter(after))
    }

    private static func isWordCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}
