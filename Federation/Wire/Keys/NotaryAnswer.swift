import Matrix

/// What a notary answers: other servers' key documents, each with the notary's signature beside its own.
///
/// [Querying keys through another server](https://spec.matrix.org/v1.19/server-server-api/#querying-keys-through-another-server).
public enum NotaryAnswer {
    /// The most documents of one answer.
    public static let maximumDocuments = 500

    /// The documents of an answer that their servers have signed and the notary too. Others are passed over: one bad document does
    /// not spoil those beside it.
    ///
    /// - Parameters:
    ///   - json: The answer.
    ///   - notary: Who gave it.
    ///   - keys: The notary's keys that are valid now.
    public static func documents(
        in json: JSON, notary: ServerName, keys: [SigningKeyID: VerifyKey]
    ) -> [KeyDocument] {
        var documents: [KeyDocument] = []
        for element in json["server_keys"]?.elements ?? JSON.emptyObject.elements {
            guard documents.count < maximumDocuments else { break }
            guard element.bytes.count <= KeyDocument.maximumBytes, isSigned(element, by: notary, keys) else { continue }
            if let document = try? KeyDocument(verifying: element.detached()) { documents.append(document) }
        }
        return documents
    }

    private static func isSigned(_ json: JSON, by notary: ServerName, _ keys: [SigningKeyID: VerifyKey]) -> Bool {
        JSONSigning.keyIDs(in: json, by: notary.string).prefix(KeyDocument.maximumKeys).contains { keyID in
            keys[keyID].map { JSONSigning.verify(json, server: notary, keyID: keyID, key: $0) } ?? false
        }
    }

    /// The body of an answer.
    ///
    /// - Parameter documents: The texts of key documents, with all their signatures.
    public static func make(_ documents: [[UInt8]]) -> [UInt8] {
        var writer = JSONWriter(capacity: documents.reduce(32) { $0 + $1.count + 1 })
        writer.beginObject()
        writer.rawKey("server_keys")
        writer.beginArray()
        for document in documents { writer.writeRaw(document) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    /// A document with the notary's signature beside those it has.
    ///
    /// - Throws: ``Matrix/SigningError`` if the cryptographic library fails.
    public static func countersign(
        _ document: JSON, as notary: ServerName, key: SigningKey
    ) throws(SigningError) -> [UInt8] {
        CanonicalJSON.text(of: try JSONSigning.sign(document.value, as: notary, key: key))
    }
}

/// Which keys are wanted of a notary.
public struct ServerKeyQuery: Sendable, Hashable {
    /// Until when, in milliseconds since 1970, each key should be valid, by server and key; no key named means all of the server's.
    public let wanted: [ServerName: [SigningKeyID: Int64]]

    /// The most servers of one query.
    public static let maximumServers = 500

    /// A query.
    public init(_ wanted: [ServerName: [SigningKeyID: Int64]]) { self.wanted = wanted }

    /// The body of the request.
    public var body: [UInt8] {
        var servers = JSONObject()
        for (server, keys) in wanted.sorted(by: { $0.key < $1.key }) {
            var criteria = JSONObject()
            for (keyID, until) in keys.sorted(by: { $0.key < $1.key }) {
                criteria[keyID.string] = ["minimum_valid_until_ts": .integer(until)]
            }
            servers[server.string] = .object(criteria)
        }
        return CanonicalJSON.text(of: ["server_keys": .object(servers)])
    }

    /// Reads the body of a request.
    ///
    /// - Parameter now: What counts where no time is given, in milliseconds since 1970.
    /// - Returns: `nil` if it is not of the form that the specification gives, or asks for too much.
    public init?(parsing json: JSON, now: Int64) {
        guard let servers = json["server_keys"], servers.isObject else { return nil }
        var wanted: [ServerName: [SigningKeyID: Int64]] = [:]
        for (name, keys) in servers.members {
            guard let server = ServerName(name), keys.isObject, wanted.count < Self.maximumServers else { return nil }
            var criteria: [SigningKeyID: Int64] = [:]
            for (name, value) in keys.members {
                guard let keyID = SigningKeyID(name), criteria.count < KeyDocument.maximumKeys else { return nil }
                criteria[keyID] = value["minimum_valid_until_ts"]?.int ?? now
            }
            wanted[server] = criteria
        }
        self.wanted = wanted
    }
}
