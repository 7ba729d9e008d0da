import CSodium

/// The public half of an Ed25519 key: verifies signatures.
public struct VerifyKey: Sendable, Hashable {
    /// The length of a key, in bytes.
    public static let length = 32
    /// The length of a signature, in bytes.
    public static let signatureLength = 64

    /// The 32 bytes.
    public let bytes: [UInt8]

    /// A key of 32 bytes, or `nil` if there are more or fewer.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.length else { return nil }
        self.bytes = Array(bytes)
    }

    /// A key of 32 bytes, or `nil` if there are more or fewer.
    public init?(bytes: some Collection<UInt8>) { self.init(bytes) }

    /// A key from its Base64 text, or `nil` if that is not 32 bytes.
    public init?(base64: String) {
        guard let bytes = Base64.decode(base64) else { return nil }
        self.init(bytes)
    }

    /// The key as unpadded Base64.
    public var base64: String { Base64.encode(bytes) }

    /// Whether `signature` is this key's for `message`. Keys and signatures of small order and those that are not canonical verify
    /// nothing.
    public func verify(signature: [UInt8], message: [UInt8]) -> Bool {
        guard signature.count == Self.signatureLength, Self.isReady else { return false }
        return crypto_sign_verify_detached(signature, message, UInt64(message.count), bytes) == 0
    }

    /// libsodium picks its fastest code once.
    private static let isReady = sodium_init() >= 0
}
