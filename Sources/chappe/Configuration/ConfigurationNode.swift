import Matrix
import Yams

/// Collects what is wrong, so that all of it is told at once.
final class ProblemList {
    private(set) var problems: [ConfigurationProblem] = []

    func add(_ message: String, at key: String, line: Int?) {
        problems.append(ConfigurationProblem(line: line, key: key, message: message))
    }
}

/// A mapping of the configuration file, read key by key. What nobody has asked for in the end is unknown.
final class ConfigurationNode {
    private let node: Node?
    private let key: String
    private let problems: ProblemList
    private var asked: Set<String> = []

    init(_ node: Node?, key: String, problems: ProblemList) {
        self.node = node
        self.key = key
        self.problems = problems
        if let node, node.mapping == nil, node.null == nil {
            problems.add("must be a mapping of keys to values", at: key, line: node.mark?.line)
        }
    }

    private func path(_ name: String) -> String { key.isEmpty ? name : "\(key).\(name)" }

    private func value(_ name: String) -> Node? {
        asked.insert(name)
        guard let value = node?.mapping?[Node(name)], value.null == nil else { return nil }
        return value
    }

    private func refuse<T>(_ node: Node, _ name: String, _ form: String) -> T? {
        problems.add("must be \(form)", at: path(name), line: node.mark?.line)
        return nil
    }

    /// A mapping below this one.
    func mapping(_ name: String) -> ConfigurationNode {
        ConfigurationNode(value(name), key: path(name), problems: problems)
    }

    /// Whether the key is there with a value.
    func has(_ name: String) -> Bool { value(name) != nil }

    /// A text.
    func string(_ name: String) -> String? {
        guard let value = value(name) else { return nil }
        guard let string = value.string else { return refuse(value, name, "a text") }
        return string
    }

    /// A text that must be there.
    func requiredString(_ name: String) -> String {
        if !has(name) { problems.add("is missing", at: path(name), line: nil) }
        return string(name) ?? ""
    }

    /// True or false.
    func bool(_ name: String, default other: Bool) -> Bool {
        guard let value = value(name) else { return other }
        return value.bool ?? refuse(value, name, "true or false") ?? other
    }

    /// An integer within a range.
    func int(_ name: String, in range: ClosedRange<Int>, default other: Int) -> Int {
        guard let value = value(name) else { return other }
        guard let int = value.int, range.contains(int) else {
            return refuse(value, name, "a whole number from \(range.lowerBound) to \(range.upperBound)") ?? other
        }
        return int
    }

    /// A number that is not negative.
    func number(_ name: String) -> Double? {
        guard let value = value(name) else { return nil }
        guard let number = value.float, number >= 0, number.isFinite else {
            return refuse(value, name, "a number from 0")
        }
        return number
    }

    /// One of several words.
    func choice<C: RawRepresentable & CaseIterable>(_ name: String, default other: C) -> C where C.RawValue == String {
        guard let value = value(name) else { return other }
        let words = C.allCases.map(\.rawValue)
        // YAML reads a bare `off` as false.
        let text = value.string.map { $0 == "false" && words.contains("off") ? "off" : $0 }
        guard let text, let choice = C(rawValue: text) else {
            return refuse(value, name, "one of \(words.joined(separator: ", "))") ?? other
        }
        return choice
    }

    /// A list of texts.
    func strings(_ name: String) -> [String] {
        guard let value = value(name) else { return [] }
        guard let sequence = value.sequence else { return refuse(value, name, "a list of texts") ?? [] }
        return sequence.compactMap { $0.string ?? refuse($0, name, "a list of texts") }
    }

    /// A list of integers within a range, or one of them; `nil` if there is none.
    func ints(_ name: String, in range: ClosedRange<Int>) -> [Int]? {
        guard let value = value(name) else { return nil }
        let form = "a list of whole numbers from \(range.lowerBound) to \(range.upperBound)"
        guard let items = value.sequence.map({ Array($0) }) ?? value.scalar.map({ _ in [value] }) else {
            return refuse(value, name, form)
        }
        return items.compactMap { item in
            guard let int = item.int, range.contains(int) else { return refuse(item, name, form) }
            return int
        }
    }

    /// A list of mappings.
    func mappings(_ name: String) -> [ConfigurationNode] {
        guard let value = value(name) else { return [] }
        guard let sequence = value.sequence else { return refuse(value, name, "a list") ?? [] }
        return sequence.enumerated().map { index, node in
            ConfigurationNode(node, key: "\(path(name))[\(index)]", problems: problems)
        }
    }

    /// The names of the mapping's keys.
    var names: [String] { node?.mapping?.keys.compactMap(\.string) ?? [] }

    /// Says that a value breaks a rule of its own.
    func refuse(_ name: String, _ message: String) {
        problems.add(message, at: path(name), line: node?.mapping?[Node(name)]?.mark?.line)
    }

    /// Says of every key that nobody has asked for that it is unknown, and which one may have been meant.
    func finish() {
        for (key, _) in node?.mapping ?? [:] {
            let name = key.string ?? ""
            guard !asked.contains(name) else { continue }
            // Who leaves out the unit means the key with it.
            let nearest =
                asked.filter { $0.hasPrefix("\(name)_") }.min()
                ?? asked.min { EditDistance.between($0, name) < EditDistance.between($1, name) }
            let hint = nearest.map { "; did you mean \($0)?" } ?? ""
            problems.add("unknown key\(hint)", at: path(name), line: key.mark?.line)
        }
    }
}

/// How many letters must change to make one word of another.
enum EditDistance {
    static func between(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a == b ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }
}
