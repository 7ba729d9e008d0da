import Homeserver

extension PasswordPolicy {
    /// What the section `passwords` says.
    init(_ node: ConfigurationNode) {
        var requirements: [Requirement] = []
        for word in node.strings("require") {
            guard let requirement = Requirement(rawValue: word) else {
                node.refuse("require", "\(word) is none of digit, symbol, lowercase and uppercase")
                continue
            }
            requirements.append(requirement)
        }
        self.init(
            minimumLength: node.int("minimum_length", in: 1...128, default: 8), requirements: requirements)
    }
}
