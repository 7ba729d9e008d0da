/// A key file: the keys that this server signs with, and those that it has given up.
///
/// A line a key. Keys in use are as ``SigningKey/fileLine`` writes them, the active one first. A key that was given up is a comment to
/// other programs and to older versions of this one: `# retired ed25519:VERSION PUBLIC EXPIRED`, its public half in unpadded Base64 and
/// when it expired, in milliseconds since 1970. Its secret half is gone: nothing is signed with it again.
public struct SigningKeyFile: Sendable {
    /// The keys in use, the active one first. At least one.
    public private(set) var keys: [SigningKey]
    /// The keys that were in use.
    public private(set) var retired: [RetiredSigningKey]

    /// The key that this server signs with.
    public var active: SigningKey { keys[0] }

    /// A file of one key.
    public init(_ key: SigningKey) {
        keys = [key]
        retired = []
    }

    /// Reads a file; `nil` if a line is not a key, if there is none in use, or if two have one name.
    public init?(parsing text: String) {
        var keys: [SigningKey] = []
        var retired: [RetiredSigningKey] = []
        for line in text.split(whereSeparator: \.isNewline) {
            guard let first = line.first(where: { !$0.isWhitespace }) else { continue }
            if first != "#" {
                guard let key = SigningKey(fileLine: String(line)) else { return nil }
                keys.append(key)
            } else if RetiredSigningKey.isMeant(by: line) {
                guard let key = RetiredSigningKey(fileLine: line) else { return nil }
                retired.append(key)
            }
        }
        let names = keys.map(\.keyID) + retired.map(\.keyID)
        guard !keys.isEmpty, Set(names).count == names.count else { return nil }
        self.keys = keys
        self.retired = retired
    }

    /// The file's text. It is secret.
    public var text: String { SigningKey.serialize(file: keys) + retired.map { $0.fileLine + "\n" }.joined() }

    /// Makes another key the active one, and retires all that were in use.
    ///
    /// - Parameters:
    ///   - key: The new key.
    ///   - expiredTS: Up to when what the others have signed counts, in milliseconds since 1970.
    /// - Returns: False, and nothing is changed, if a key of that name was in use before.
    public mutating func rotate(to key: SigningKey, expiredTS: Int64) -> Bool {
        guard !keys.contains(where: { $0.keyID == key.keyID }), !retired.contains(where: { $0.keyID == key.keyID })
        else { return false }
        retired += keys.map { RetiredSigningKey(keyID: $0.keyID, publicKey: $0.publicKey, expiredTS: expiredTS) }
        keys = [key]
        return true
    }
}

/// A key that this server has given up: what it has signed before still counts.
public struct RetiredSigningKey: Sendable, Hashable {
    /// The key's identifier.
    public let keyID: SigningKeyID
    /// The public half.
    public let publicKey: VerifyKey
    /// Up to when what the key has signed counts, in milliseconds since 1970.
    public let expiredTS: Int64

    /// A key.
    public init(keyID: SigningKeyID, publicKey: VerifyKey, expiredTS: Int64) {
        self.keyID = keyID
        self.publicKey = publicKey
        self.expiredTS = expiredTS
    }

    var fileLine: String { "# retired \(keyID) \(publicKey.base64) \(expiredTS)" }

    static func isMeant(by line: Substring) -> Bool { words(of: line).first == "retired" }

    init?(fileLine: Substring) {
        let words = Self.words(of: fileLine)
        guard words.count == 4, let keyID = SigningKeyID(String(words[1])), keyID.isEd25519,
            let key = VerifyKey(base64: String(words[2])), let expired = Int64(words[3])
        else { return nil }
        self.init(keyID: keyID, publicKey: key, expiredTS: expired)
    }

    private static func words(of line: Substring) -> [Substring] {
        line.drop { $0.isWhitespace || $0 == "#" }.split(whereSeparator: \.isWhitespace)
    }
}
