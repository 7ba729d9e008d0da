import Matrix
import Store

/// Cross-signing keys that a user publishes.
///
/// [POST /keys/device_signing/upload](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload).
public struct CrossSigningUpload: Sendable {
    let keys: [CrossSigningKey]

    /// Reads the members of a request.
    ///
    /// - Throws: 400 `M_BAD_JSON` for keys of a wrong shape.
    public init(master: JSON?, selfSigning: JSON?, userSigning: JSON?, owner: UserID) throws(MatrixError) {
        var keys: [CrossSigningKey] = []
        for (json, usage) in [
            (master, CrossSigningUsage.master), (selfSigning, .selfSigning), (userSigning, .userSigning),
        ] {
            guard let json, !json.isNull else { continue }
            guard let key = CrossSigningKey(json, usage: usage, owner: owner) else {
                throw .badJSON(
                    "\(usage.name)_key must have your user_id, the usage \(usage.name) and one Ed25519 key, named after itself"
                )
            }
            keys.append(key)
        }
        self.keys = keys
    }
}

/// Makes sure that it is the user who replaces their cross-signing keys.
public protocol KeyReplacementAuthorization: Sendable {
    /// Authorizes replacing a user's cross-signing keys.
    ///
    /// - Parameters:
    ///   - user: Whose.
    ///   - auth: The request's `auth`.
    /// - Returns: What the transaction that replaces them runs, so that nothing else is authorized by the same proof.
    /// - Throws: 401 with what is needed.
    func authorizeKeyReplacement(
        of user: UserNumber, auth: JSON?
    ) async throws -> @Sendable (StoreWriter) throws -> Void
}

/// Users' cross-signing keys, and the signatures made with them.
public final class CrossSigningService: Sendable {
    let store: Store
    let serverName: ServerName
    let remote: any RemoteServers
    private let authorization: any KeyReplacementAuthorization

    /// - Parameters:
    ///   - store: Where keys and signatures are.
    ///   - serverName: The name of this server.
    ///   - remote: Asks other servers for keys that are signed here.
    ///   - authorization: Authorizes replacing keys.
    public init(
        store: Store, serverName: ServerName, remote: any RemoteServers,
        authorization: any KeyReplacementAuthorization
    ) {
        self.store = store
        self.serverName = serverName
        self.remote = remote
        self.authorization = authorization
    }

    /// Publishes a user's cross-signing keys.
    ///
    /// Replacing keys, or adding some once there is a master key, needs user-interactive authentication; the first keys and the
    /// same keys once more do not.
    ///
    /// - Parameters:
    ///   - upload: The keys.
    ///   - user: Whose.
    ///   - userID: Whose, by name.
    ///   - auth: The request's `auth`.
    ///   - isAppService: Whether an application service makes the request; it need not authenticate.
    /// - Throws: 400 `M_MISSING_PARAM` without a master key, `M_INVALID_SIGNATURE` for a key that it did not sign; 401 when
    ///   authentication is needed; 403 `M_FORBIDDEN` for a key that is called like one of the user's devices.
    public func upload(
        _ upload: CrossSigningUpload, user: UserNumber, userID: UserID, auth: JSON?, isAppService: Bool = false
    ) async throws {
        guard !upload.keys.isEmpty else { return }
        // What is checked here is checked again in the transaction; nobody is asked for a password in vain.
        let needsAuthorization = try await store.read { reader in
            try Self.check(upload, user, userID, reader) == .replacement
        }
        var finish: (@Sendable (StoreWriter) throws -> Void)?
        if isAppService {
            finish = { _ in }
        } else if needsAuthorization {
            finish = try await authorization.authorizeKeyReplacement(of: user, auth: auth)
        }
        try await store.write { [finish] writer in
            let change = try Self.check(upload, user, userID, writer.read)
            if change == .replacement {
                guard let finish else {
                    throw MatrixError(409, .unknown, "Your cross-signing keys have changed meanwhile; try again")
                }
                try finish(writer)
            }
            guard change != .nothing else { return }
            for key in upload.keys { try writer.crossSigningKeys.set(key.record, of: user) }
            // Nobody else sees the user-signing key.
            if upload.keys.allSatisfy({ $0.usage == .userSigning }) {
                try writer.journal.append(.deviceListView(of: user, by: user))
            } else {
                try writer.journal.append(.deviceList(user))
            }
        }
    }

    private enum Change {
        /// The keys are there already.
        case nothing
        /// There is no master key yet, or only signatures are new.
        case free
        /// There is a master key, and some key is new.
        case replacement
    }

    private static func check(
        _ upload: CrossSigningUpload, _ user: UserNumber, _ userID: UserID, _ reader: StoreReader
    ) throws -> Change {
        let known = try reader.crossSigningKeys.keys(of: user)
            .mapValues { try CrossSigningKey(stored: $0, owner: userID) }
        guard let master = upload.keys.first(where: { $0.usage == .master }) ?? known[.master] else {
            throw MatrixError.missingParameter("There is no master key to sign the other keys")
        }
        for key in upload.keys where key.usage != .master {
            guard
                JSONSigning.verify(key.json, signer: userID.string, keyID: master.keyID, key: master.publicKey)
            else {
                throw MatrixError(400, .invalidSignature, "\(key.usage.name)_key is not signed by the master key")
            }
        }
        for key in upload.keys {
            guard let device = DeviceID(key.publicKey.base64) else { continue }
            if try reader.devices.device(device, of: user) != nil {
                throw MatrixError.forbidden("One of your devices is called like the key")
            }
        }
        if upload.keys.allSatisfy({ key in known[key.usage].map { KeyText.isSame($0.json, key.json) } ?? false }) {
            return .nothing
        }
        let isNew = upload.keys.contains { known[$0.usage]?.publicKey != $0.publicKey }
        return known[.master] != nil && isNew ? .replacement : .free
    }
}
