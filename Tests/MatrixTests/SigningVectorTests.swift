import Testing

@testable import Matrix

/// The vectors of [the appendices](https://spec.matrix.org/v1.19/appendices/#cryptographic-test-vectors).
@Suite struct SigningVectorTests {
    static let seed = Base64.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1") ?? []
    let server = ServerName(trusted: "domain")

    func key() throws -> SigningKey { try #require(SigningKey(seed: Self.seed, version: "1")) }

    @Test func keyHasTheIdentifier() throws {
        #expect(try key().keyID.string == "ed25519:1")
        #expect(try key().publicKey.base64 == "XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI")
    }

    @Test(arguments: [
        (
            "{}",
            "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"
        ),
        (
            #"{"one": 1, "two": "Two"}"#,
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"
        ),
    ])
    func signsJSON(text: String, signature: String) throws {
        let signed = try JSONSigning.sign(try JSON(parsing: text).value, as: server, key: try key())
        #expect(signed["signatures"]?["domain"]?["ed25519:1"]?.string == signature)
        let id = try #require(SigningKeyID("ed25519:1"))
        #expect(JSONSigning.verify(signed.json, server: server, keyID: id, key: try key().publicKey))

        var changed = signed
        changed["one"] = 2
        #expect(!JSONSigning.verify(changed.json, server: server, keyID: id, key: try key().publicKey))
        var annotated = signed
        annotated["unsigned"] = ["age_ts": 1]
        #expect(JSONSigning.verify(annotated.json, server: server, keyID: id, key: try key().publicKey))
    }

    @Test func signsAMinimalEvent() throws {
        let text = """
            {"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},
            "hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"type":"X","content":{},"prev_events":[],
            "auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}
            """
        let event = try Event(parsing: Array(text.utf8), version: .v3)
        #expect(Base64.encode(event.contentHash()) == "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos")
        #expect(event.hasValidContentHash)
        let signed = try event.signed(by: server, key: try key())
        let id = try #require(SigningKeyID("ed25519:1"))
        #expect(
            signed.signature(of: server, keyID: id).map { Base64.encode($0) }
                == "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
        )
        #expect(signed.verify(server: server, keyID: id, key: try key().publicKey))
    }

    @Test func buildsTheMinimalEvent() throws {
        let builder = EventBuilder(
            version: .v3, roomID: RoomID("!x:domain"), type: "X", sender: try #require(UserID("@a:domain")),
            content: [:] as JSONValue, originServerTS: 1_000_000, depth: 3, origin: server
        )
        let event = try builder.build(serverName: server, signer: try key())
        #expect(event.hasValidContentHash)
        #expect(
            event.json["hashes"]?["sha256"]?.string == "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"
        )
        #expect(
            event.json["signatures"]?["domain"]?["ed25519:1"]?.string
                == "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
        )
        #expect(try Event(parsing: event.bytes, version: .v3).eventID == event.eventID)
    }

    /// The event lacks members that the format demands, so it can only be read as if it came from storage.
    @Test func signsAnEventWithRedactableContent() throws {
        let text = """
            {"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain",
            "origin_server_ts":1000000,"type":"m.room.message","room_id":"!r:domain","sender":"@u:domain",
            "hashes":{"sha256":"onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"},"signatures":{},
            "unsigned":{"age_ts":1000000}}
            """
        let event = try Event(
            trusted: Array(text.utf8), version: .v1, eventID: try #require(EventID("$0:domain"))
        )
        #expect(event.hasValidContentHash)
        let signed = try event.signed(by: server, key: try key())
        let id = try #require(SigningKeyID("ed25519:1"))
        #expect(
            signed.signature(of: server, keyID: id).map { Base64.encode($0) }
                == "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
        )
        // A redacted copy still verifies.
        #expect(try signed.redacted().verify(server: server, keyID: id, key: try key().publicKey))
        #expect(try !signed.redacted().hasValidContentHash)
    }
}
