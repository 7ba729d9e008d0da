import Matrix

/// What a server signs when it makes a request, and what the receiver verifies.
///
/// [Request authentication](https://spec.matrix.org/v1.19/server-server-api/#request-authentication).
public struct SignedRequest: Sendable {
    /// The method, in capitals.
    public let method: String
    /// Path and query, byte for byte as they are sent.
    public let target: String
    /// The server that makes the request.
    public let origin: ServerName
    /// The server that the request is for.
    public let destination: ServerName
    /// The canonical text of the body's JSON; `nil` for a request without a body.
    public let content: [UInt8]?

    /// A request.
    public init(method: String, target: String, origin: ServerName, destination: ServerName, content: [UInt8]?) {
        self.method = method
        self.target = target
        self.origin = origin
        self.destination = destination
        self.content = content
    }

    /// The canonical text that the signature covers.
    public var signedText: [UInt8] {
        // The members are in the order of their names, as canonical JSON has them.
        var writer = JSONWriter(capacity: (content?.count ?? 0) + target.utf8.count + 256)
        writer.beginObject()
        if let content { writer.rawMember("content", content) }
        writer.member("destination", destination)
        writer.member("method", method)
        writer.member("origin", origin)
        writer.member("uri", target)
        writer.endObject()
        return writer.bytes
    }

    /// The credentials that the request goes out with.
    ///
    /// - Throws: ``Matrix/SigningError`` if the cryptographic library fails.
    public func sign(with key: SigningKey) throws(SigningError) -> XMatrixCredentials {
        XMatrixCredentials(
            origin: origin, destination: destination, keyID: key.keyID, signature: try key.sign(signedText))
    }

    /// Whether the credentials are of this request and their signature is valid.
    ///
    /// - Parameter key: The origin's key of the identifier that the credentials name.
    public func isSigned(by credentials: XMatrixCredentials, key: VerifyKey) -> Bool {
        guard credentials.keyID.isEd25519, credentials.origin == origin else { return false }
        if let named = credentials.destination, named != destination { return false }
        return key.verify(signature: credentials.signature, message: signedText)
    }
}
