import Matrix
import Store

/// Why a signature was not taken.
public struct SignatureFailure: Sendable, Hashable {
    /// Whose key it is on.
    public let user: UserID
    /// The device or public key that it is on, as the request names it.
    public let key: String
    /// The reason.
    public let error: MatrixError
}

/// A signed key of a request.
public struct SignedKeyUpload: Sendable {
    /// Whose key it is.
    public let user: UserID
    /// The device or public key.
    public let key: String
    /// The key with its signatures.
    public let json: JSON

    /// A signed key.
    public init(user: UserID, key: String, json: JSON) {
        self.user = user
        self.key = key
        self.json = json
    }
}

extension CrossSigningService {
    /// The most keys in one upload of signatures.
    private static let maximumSignedKeys = 1_000

    /// Takes a user's signatures on their own devices and master key, and on master keys of others.
    ///
    /// Each must sign exactly what was published under that name, and be valid. Those on the user's own keys are seen by everyone,
    /// those on others' keys by the user alone.
    /// [POST /keys/signatures/upload](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload).
    ///
    /// - Returns: Those that were not taken. The others were.
    public func uploadSignatures(
        _ uploads: [SignedKeyUpload], by user: UserNumber, _ userID: UserID
    ) async throws -> [SignatureFailure] {
        guard uploads.count <= Self.maximumSignedKeys else { throw MatrixError.tooLarge("There are too many keys") }
        let masters = await remoteMasters(uploads)
        return try await store.write { writer in
            var session = try SignatureSession(user, userID, writer)
            var failures: [SignatureFailure] = []
            for upload in uploads {
                do {
                    if upload.user == userID {
                        try session.signOwn(upload)
                    } else {
                        try session.signOther(upload, master: masters[upload.user])
                    }
                } catch let error as MatrixError {
                    failures.append(SignatureFailure(user: upload.user, key: upload.key, error: error))
                }
            }
            try session.announce()
            return failures
        }
    }

    /// The master keys of other servers' users that are signed here.
    private func remoteMasters(_ uploads: [SignedKeyUpload]) async -> [UserID: CrossSigningKey] {
        var users: [ServerName: [UserID: [DeviceID]]] = [:]
        for upload in uploads where !upload.user.isLocal(to: serverName) {
            users[upload.user.server, default: [:]][upload.user] = []
        }
        let remote = remote
        let answers = await mapConcurrently(Array(users)) { server, users -> [UserID: [UInt8]] in
            let body = try? await remote.queryKeys(
                users, at: server, timeoutMilliseconds: RemoteTimeout.standardMilliseconds
            )
            return body.map { KeyService.accept($0, for: users).masterKeys } ?? [:]
        }
        var masters: [UserID: CrossSigningKey] = [:]
        for (user, text) in answers.joined() {
            guard let json = try? JSON(parsing: text) else { continue }
            masters[user] = CrossSigningKey(json, usage: .master, owner: user)
        }
        return masters
    }
}

/// One upload of signatures, inside its transaction.
private struct SignatureSession {
    private let user: UserNumber
    private let userID: UserID
    private let writer: StoreWriter
    private let keys: [CrossSigningUsage: CrossSigningKey]
    private var changedOwn = false
    private var changedOthers: Set<UserNumber> = []

    init(_ user: UserNumber, _ userID: UserID, _ writer: StoreWriter) throws {
        self.user = user
        self.userID = userID
        self.writer = writer
        keys = try writer.read.crossSigningKeys.keys(of: user)
            .mapValues { try CrossSigningKey(stored: $0, owner: userID) }
    }

    /// Takes the self-signing key's signature of a device, or devices' signatures of the master key.
    mutating func signOwn(_ upload: SignedKeyUpload) throws {
        if let master = keys[.master], Self.isName(upload.key, of: master) {
            try Self.check(upload.json, is: master.json)
            var signers: [(SigningKeyID, VerifyKey)] = []
            for keyID in JSONSigning.keyIDs(in: upload.json, by: userID.string) {
                if let key = try deviceKey(keyID) { signers.append((keyID, key)) }
            }
            guard !signers.isEmpty else { throw Self.invalid("None of your devices has signed the key") }
            for (keyID, key) in signers { try verify(upload, keyID, key) }
            for (keyID, _) in signers { try take(upload, keyID, of: user) }
            return
        }
        guard let device = DeviceID(upload.key), let known = try writer.read.deviceKeys.keys(of: device, of: user)
        else {
            throw MatrixError.notFound("There is no such key")
        }
        guard let signer = keys[.selfSigning] else { throw MatrixError.notFound("You have no self-signing key") }
        try Self.check(upload.json, is: try KeyText.parse(known))
        try verify(upload, signer.keyID, signer.publicKey)
        try take(upload, signer.keyID, of: user)
    }

    /// Takes the user-signing key's signature of somebody else's master key.
    mutating func signOther(_ upload: SignedKeyUpload, master remote: CrossSigningKey?) throws {
        guard let signer = keys[.userSigning] else { throw MatrixError.notFound("You have no user-signing key") }
        let local = try writer.read.identifiers.number(of: upload.user).flatMap { number in
            try writer.read.crossSigningKeys.keys(of: number)[.master]
        }
        let master = try local.map { try CrossSigningKey(stored: $0, owner: upload.user) } ?? remote
        guard let master, Self.isName(upload.key, of: master) else {
            throw MatrixError.notFound("There is no such key")
        }
        try Self.check(upload.json, is: master.json)
        try verify(upload, signer.keyID, signer.publicKey)
        try take(upload, signer.keyID, of: try writer.identifiers.intern(upload.user))
    }

    /// Announces what was taken to those who see it.
    func announce() throws {
        if changedOwn { try writer.journal.append(.deviceList(user)) }
        for other in changedOthers.sorted() { try writer.journal.append(.deviceListView(of: other, by: user)) }
    }

    private mutating func take(_ upload: SignedKeyUpload, _ keyID: SigningKeyID, of target: UserNumber) throws {
        guard let signature = upload.json["signatures"]?[userID.string]?[keyID.string]?.string else { return }
        let isNew = try writer.keySignatures.insert(signature, by: user, keyID, on: upload.key, of: target)
        guard isNew else { return }
        if target == user { changedOwn = true } else { changedOthers.insert(target) }
    }

    private func verify(_ upload: SignedKeyUpload, _ keyID: SigningKeyID, _ key: VerifyKey) throws {
        guard JSONSigning.verify(upload.json, signer: userID.string, keyID: keyID, key: key) else {
            throw Self.invalid("The signature by \(keyID) is missing or wrong")
        }
    }

    /// The Ed25519 key of one of the user's devices, or `nil` if it is none.
    private func deviceKey(_ keyID: SigningKeyID) throws -> VerifyKey? {
        guard let device = DeviceID(keyID.name), let text = try writer.read.deviceKeys.keys(of: device, of: user) else {
            return nil
        }
        return try KeyText.parse(text)["keys"]?[keyID.string]?.string.flatMap { VerifyKey(base64: $0) }
    }

    private static func check(_ json: JSON, is known: JSON) throws {
        guard json.isObject, KeyText.isSameSigned(json, known) else {
            throw invalid("The key is not the one that was published")
        }
    }

    private static func isName(_ name: String, of key: CrossSigningKey) -> Bool {
        ExactString(name) == ExactString(key.publicKey.base64)
    }

    private static func invalid(_ message: String) -> MatrixError { MatrixError(400, .invalidSignature, message) }
}
