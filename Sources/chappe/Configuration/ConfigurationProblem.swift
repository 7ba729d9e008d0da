/// Something wrong with the configuration: where, and what.
struct ConfigurationProblem: Sendable, CustomStringConvertible {
    /// The line in the file, from 1; `nil` for what has none, such as a missing key or an environment variable.
    let line: Int?
    /// The key, levels joined by dots.
    let key: String
    /// What is wrong with it.
    let message: String

    var description: String {
        let place = line.map { "line \($0): " } ?? ""
        return key.isEmpty ? "\(place)\(message)" : "\(place)\(key): \(message)"
    }
}

/// Everything wrong with the configuration.
struct ConfigurationError: Error, CustomStringConvertible {
    /// The file.
    let file: String
    /// What is wrong, in the order of the file.
    let problems: [ConfigurationProblem]

    var description: String { problems.map { "\(file): \($0)" }.joined(separator: "\n") }
}
