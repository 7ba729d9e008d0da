import Matrix
import Synchronization

/// Has the key that this server signs with. Ask each time: the key changes while the server runs.
public protocol SigningKeySource: Sendable {
    /// The key.
    var signingKey: SigningKey { get }
}

extension SigningKey: SigningKeySource {
    /// Itself: a key that never changes.
    public var signingKey: SigningKey { self }
}

/// The keys of this server's key file, which can be replaced while the server runs.
public final class SigningKeyring: SigningKeySource {
    private let file: Mutex<SigningKeyFile>

    /// The keys of that file.
    public init(_ file: SigningKeyFile) { self.file = Mutex(file) }

    /// The keys.
    public var keys: SigningKeyFile { file.withLock { $0 } }
    /// The active key.
    public var signingKey: SigningKey { keys.active }

    /// Takes other keys over: what is signed from now on is signed with their active one.
    public func replace(by keys: SigningKeyFile) { file.withLock { $0 = keys } }
}

/// Has the public halves of all keys that this server has signed with.
public protocol VerifyKeySource: Sendable {
    /// By their identifiers.
    var verifyKeys: [String: VerifyKey] { get }
}

extension SigningKeyring: VerifyKeySource {
    /// Those in use, and those that were.
    public var verifyKeys: [String: VerifyKey] {
        let file = keys
        var all = Dictionary(file.keys.map { ($0.keyID.string, $0.publicKey) }) { first, _ in first }
        for key in file.retired { all[key.keyID.string] = key.publicKey }
        return all
    }
}
