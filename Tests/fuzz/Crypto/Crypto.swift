import CSodium

// The three things that events need of swift-crypto, on libsodium, so that the fuzzed code is built in seconds and instrumented as
// a whole. Same names and shapes; never part of the server.

/// SHA-256.
public enum SHA256 {
    /// The hash of a message.
    public static func hash(data: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        crypto_hash_sha256(&out, data, UInt64(data.count))
        return out
    }
}

/// The curve of Ed25519.
public enum Curve25519 {
    /// Signatures.
    public enum Signing {
        /// Why a seed is no key.
        public struct WrongLength: Error {}

        /// The public half of a key.
        public struct PublicKey: Sendable {
            /// The 32 bytes.
            public let rawRepresentation: [UInt8]
        }

        /// A key.
        public struct PrivateKey: Sendable {
            /// The seed.
            public let rawRepresentation: [UInt8]
            /// The public half.
            public let publicKey: PublicKey
            private let secret: [UInt8]

            /// The key of a seed.
            public init(rawRepresentation: [UInt8]) throws {
                guard rawRepresentation.count == 32 else { throw WrongLength() }
                var publicBytes = [UInt8](repeating: 0, count: 32)
                var secret = [UInt8](repeating: 0, count: 64)
                crypto_sign_seed_keypair(&publicBytes, &secret, rawRepresentation)
                self.rawRepresentation = rawRepresentation
                publicKey = PublicKey(rawRepresentation: publicBytes)
                self.secret = secret
            }

            /// The signature of a message.
            public func signature(for message: [UInt8]) throws -> [UInt8] {
                var out = [UInt8](repeating: 0, count: 64)
                crypto_sign_detached(&out, nil, message, UInt64(message.count), secret)
                return out
            }
        }
    }
}
