import Crypto

/// A server's Ed25519 key: signs events, requests and key documents.
///
/// Its description never shows the secret half.
public struct SigningKey: Sendable, CustomStringConvertible {
    /// The key's identifier, `ed25519:VERSION`.
    public let keyID: SigningKeyID
    /// The public half.
    public let publicKey: VerifyKey

    private let key: Curve25519.Signing.PrivateKey

    /// The key's identifier, without anything secret.
    public var description: String { "SigningKey(\(keyID.string))" }

    /// The part of the identifier after the algorithm.
    public var version: String { keyID.name }

    /// The key of that seed.
    ///
    /// - Parameters:
    ///   - seed: 32 secret bytes.
    ///   - version: A name of `A-Z a-z 0-9 _`, unique among the server's keys.
    /// - Returns: `nil` for a seed of another length or a name of other characters.
    public init?(seed: some Collection<UInt8>, version: String) {
        guard seed.count == 32, !version.isEmpty, version.utf8.allSatisfy(Self.isVersionCharacter),
            let keyID = SigningKeyID("ed25519:\(version)"),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: Array(seed)),
            let publicKey = VerifyKey(Array(key.publicKey.rawRepresentation))
        else { return nil }
        self.keyID = keyID
        self.key = key
        self.publicKey = publicKey
    }

    /// The signature of `message`, 64 bytes.
    ///
    /// - Throws: ``SigningError/failed`` if the cryptographic library does; it has no reason to.
    public func sign(_ message: [UInt8]) throws(SigningError) -> [UInt8] {
        do { return Array(try key.signature(for: message)) } catch { throw .failed }
    }

    // MARK: Key files

    /// The line that a key file holds: `ed25519 VERSION SEED`, the seed in unpadded Base64, as Synapse writes it.
    ///
    /// It is secret.
    public var fileLine: String { "ed25519 \(keyID.name) \(Base64.encode(Array(key.rawRepresentation)))" }

    /// The key of one line of a key file, or `nil` if it is none.
    public init?(fileLine: String) {
        let words = fileLine.split(whereSeparator: \.isWhitespace)
        guard words.count == 3, words[0] == "ed25519", let seed = Base64.decode(String(words[2])) else { return nil }
        self.init(seed: seed, version: String(words[1]))
    }

    /// The keys of a key file, in its order: the first is the active one. Empty lines and lines that begin with `#` do not count.
    ///
    /// - Returns: `nil` if a line is not a key.
    public static func parse(file: String) -> [SigningKey]? {
        var keys: [SigningKey] = []
        for line in file.split(whereSeparator: \.isNewline) {
            guard let first = line.first(where: { !$0.isWhitespace }), first != "#" else { continue }
            guard let key = SigningKey(fileLine: String(line)) else { return nil }
            keys.append(key)
        }
        return keys
    }

    /// The text of a key file.
    public static func serialize(file keys: [SigningKey]) -> String { keys.map { $0.fileLine + "\n" }.joined() }

    private static func isVersionCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// Why something could not be signed.
public enum SigningError: Error, Hashable, Sendable {
    /// The cryptographic library failed.
    case failed
    /// Only objects can be signed.
    case notAnObject
}
