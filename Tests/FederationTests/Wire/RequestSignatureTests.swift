import FederationWire
import Matrix
import Testing

/// With the key of [the appendices](https://spec.matrix.org/v1.19/appendices/#cryptographic-test-vectors).
@Suite struct RequestSignatureTests {
    private func key() throws -> SigningKey {
        let seed = try #require(Base64.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"))
        return try #require(SigningKey(seed: seed, version: "1"))
    }

    private func request(
        method: String = "PUT", target: String = "/_matrix/federation/v1/send/1?a=%2F", origin: String = "domain",
        destination: String = "other.example", content: String? = #"{"b":1,"a":[true,"é"]}"#
    ) throws -> SignedRequest {
        SignedRequest(
            method: method, target: target, origin: ServerName(trusted: origin),
            destination: ServerName(trusted: destination),
            content: try content.map { CanonicalJSON.text(of: try JSON(parsing: $0)) })
    }

    @Test func signsTheCanonicalTextOfTheSpecifiedObject() throws {
        let signed = try request()
        #expect(
            String(decoding: signed.signedText, as: UTF8.self)
                == #"{"content":{"a":[true,"é"],"b":1},"destination":"other.example","method":"PUT","origin":"domain","#
                + #""uri":"/_matrix/federation/v1/send/1?a=%2F"}"#)
        // The same as signing the object that the specification shows.
        let object: JSONValue = [
            "method": "PUT", "uri": "/_matrix/federation/v1/send/1?a=%2F", "origin": "domain",
            "destination": "other.example", "content": ["a": [true, "é"], "b": 1],
        ]
        let whole = try JSONSigning.sign(object, as: ServerName(trusted: "domain"), key: try key())
        let credentials = try signed.sign(with: try key())
        #expect(whole["signatures"]?["domain"]?["ed25519:1"]?.string == Base64.encode(credentials.signature))
        #expect(credentials.keyID.string == "ed25519:1")
    }

    @Test func aRequestWithoutBodyHasNoContent() throws {
        let signed = try request(method: "GET", content: nil)
        #expect(!String(decoding: signed.signedText, as: UTF8.self).contains("content"))
        #expect(signed.isSigned(by: try signed.sign(with: try key()), key: try key().publicKey))
    }

    @Test func anyChangeInvalidatesIt() throws {
        let signed = try request()
        let credentials = try signed.sign(with: try key())
        let publicKey = try key().publicKey
        #expect(signed.isSigned(by: credentials, key: publicKey))
        let changed = [
            try request(method: "POST"), try request(target: "/_matrix/federation/v1/send/1?a=/"),
            try request(origin: "Domain"), try request(destination: "third.example"),
            try request(content: #"{"b":2,"a":[true,"é"]}"#), try request(content: nil), try request(content: "{}"),
        ]
        for request in changed { #expect(!request.isSigned(by: credentials, key: publicKey)) }
        let other = try #require(SigningKey(seed: [UInt8](repeating: 1, count: 32), version: "1"))
        #expect(!signed.isSigned(by: credentials, key: other.publicKey))
    }

    @Test func theDestinationNamedMustBeTheReceiver() throws {
        let signed = try request()
        let credentials = try signed.sign(with: try key())
        let elsewhere = XMatrixCredentials(
            origin: credentials.origin, destination: ServerName(trusted: "third.example"), keyID: credentials.keyID,
            signature: credentials.signature)
        #expect(!signed.isSigned(by: elsewhere, key: try key().publicKey))
        let unnamed = XMatrixCredentials(
            origin: credentials.origin, destination: nil, keyID: credentials.keyID, signature: credentials.signature)
        #expect(signed.isSigned(by: unnamed, key: try key().publicKey))
    }
}
