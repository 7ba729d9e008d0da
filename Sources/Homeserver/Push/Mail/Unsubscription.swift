import Matrix
import Store

/// The links in mails with which whoever reads them wants no more of them. They are signed: the server remembers nothing for them.
///
/// [RFC 8058](https://www.rfc-editor.org/rfc/rfc8058)
public struct Unsubscription: Sendable {
    /// Where the links lead.
    public static let path = "/_matrix/client/unstable/chappe/unsubscribe"

    private let store: Store
    private let pushers: PusherService
    private let keyring: SigningKeyring
    private let baseURL: String

    /// - Parameters:
    ///   - pushers: Removes pushers.
    ///   - keyring: Signs links. Those that an earlier key has signed stay good.
    ///   - baseURL: Where browsers reach this server, without a slash at the end.
    public init(store: Store, pushers: PusherService, keyring: SigningKeyring, baseURL: String) {
        self.store = store
        self.pushers = pushers
        self.keyring = keyring
        self.baseURL = baseURL
    }

    /// The link for a pusher's mails.
    func link(_ user: UserID, appID: String, pushKey: String) throws -> String {
        let token = Base64.encodeURLSafe(
            try keyring.signingKey.sign(Self.statement(user.string, appID: appID, pushKey: pushKey)))
        let items = [("user", user.string), ("app_id", appID), ("pushkey", pushKey), ("token", token)]
        return baseURL + Self.path + "?" + items.map { "\($0)=\(Self.escaped($1))" }.joined(separator: "&")
    }

    /// Removes the pusher that a link is of.
    ///
    /// - Throws: 400 `M_UNKNOWN` for a link that this server has not signed.
    public func unsubscribe(user: String, appID: String, pushKey: String, token: String) async throws {
        let statement = Self.statement(user, appID: appID, pushKey: pushKey)
        let keys = keyring.keys
        let known = keys.keys.map(\.publicKey) + keys.retired.map(\.publicKey)
        guard let signature = Base64.decodeURLSafe(token), let user = UserID(user),
            known.contains(where: { $0.verify(signature: signature, message: statement) })
        else { throw MatrixError(400, .unknown, "This link is not valid") }
        guard let number = try await store.number(of: user) else { return }
        try await pushers.delete(appID: appID, pushKey: pushKey, of: number)
    }

    /// What is signed. It is no JSON, as everything else is that the key signs.
    private static func statement(_ user: String, appID: String, pushKey: String) -> [UInt8] {
        Array("chappe: no more mail\0\(user)\0\(appID)\0\(pushKey)".utf8)
    }

    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
            default: out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
