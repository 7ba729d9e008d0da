import FederationWire
import Homeserver
import Matrix
import Store
import Synchronization
import TestSupport
import Testing
import Web

@Suite struct QueryTests {
    private func withServer(
        listsPublicRooms: Bool = true, _ body: (InboundServer, FakeServer, _ alice: Requester) async throws -> Void
    ) async throws {
        try await InboundServer.onEachEngine(listsPublicRooms: listsPublicRooms) { server in
            try await body(server, try FakeServer("there.example", asking: server), try await server.user("alice"))
        }
    }

    @Test func aliasesLeadToRooms() async throws {
        try await withServer { server, other, alice in
            let room = try await server.publicRoom(by: alice)
            let alias = try #require(RoomAlias("#room:here.example"))
            try await server.directory.create(alias, for: room, by: alice.id)
            let found = try await other.ask(AliasRequest(alias))
            #expect(found.room == room && found.servers == [InboundServer.name])
            for text in ["#none:here.example", "#room:elsewhere.example"] {
                let unknown = try #require(RoomAlias(text))
                await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                    try await other.ask(AliasRequest(unknown))
                }
            }
            let answer = try await other.ask(.get, "/_matrix/federation/v1/query/directory?room_alias=x")
            #expect(answer.status == 400)
            #expect(try await other.ask(.get, "/_matrix/federation/v1/query/what").status == 404)
        }
    }

    @Test func profilesAreTold() async throws {
        try await withServer { server, other, alice in
            try await server.profiles.set("displayname", to: JSON(parsing: #""Alice""#), of: alice.id)
            try await server.profiles.set("org.example.color", to: JSON(parsing: #"{"red":1}"#), of: alice.id)
            let whole = try await other.ask(ProfileRequest(of: alice.id, field: nil))
            #expect(whole.value == ["displayname": "Alice", "org.example.color": ["red": 1]])
            let field = try await other.ask(ProfileRequest(of: alice.id, field: "displayname"))
            #expect(field.value == ["displayname": "Alice"])
            for user in ["@nobody:here.example", "@someone:elsewhere.example"] {
                let answer = try await other.ask(.get, "/_matrix/federation/v1/query/profile?user_id=\(user)")
                #expect(answer.status == 404 && answer.code == "M_NOT_FOUND")
            }
            #expect(try await other.ask(.get, "/_matrix/federation/v1/query/profile").code == "M_MISSING_PARAM")
        }
    }

    @Test func publicRoomsAreListed() async throws {
        try await withServer { server, other, alice in
            for name in ["Alpha", "Beta"] {
                server.clock.advance(milliseconds: 1)
                var room = NewRoom()
                room.isPublished = true
                room.name = name
                _ = try await server.rooms.create(room, by: alice)
            }
            var answer = try await other.ask(.get, "/_matrix/federation/v1/publicRooms?limit=0")
            #expect(answer["chunk"]?.count == 2 && answer["total_room_count_estimate"]?.int == 2)
            answer = try await other.ask(.get, "/_matrix/federation/v1/publicRooms?limit=1")
            #expect(answer["chunk"]?.count == 1 && answer["next_batch"]?.string != nil)
            let found = try await other.ask(
                PublicRoomsRequest(
                    limit: 10, since: nil, searchTerm: "bet", roomTypes: [nil], thirdPartyInstanceID: nil,
                    includesAllNetworks: false))
            #expect(found["chunk"]?.elements.map { $0["name"]?.string } == ["Beta"])
        }
        try await withServer(listsPublicRooms: false) { _, other, _ in
            #expect(try await other.ask(.get, "/_matrix/federation/v1/publicRooms").status == 403)
            let answer = try await other.ask(.post, "/_matrix/federation/v1/publicRooms", body: Array("{}".utf8))
            #expect(answer.status == 403)
        }
    }

    @Test func devicesAndKeysAreTold() async throws {
        try await withServer { server, other, alice in
            let device = try #require(alice.device)
            let keys: JSONValue = [
                "user_id": .string(alice.id.string), "device_id": .string(device.string), "algorithms": [],
                "keys": .object(["ed25519:\(device)": "key"]), "signatures": [:],
            ]
            _ = try await server.keyService.upload(
                KeyUpload(
                    deviceKeys: keys.json, oneTimeKeys: (["my:1": "one"] as JSONValue).json, fallbackKeys: nil),
                user: alice.number, userID: alice.id, device: device)
            let listing = try await other.ask(UserDevicesRequest(alice.id))
            #expect(listing["user_id"]?.string == alice.id.string && listing["stream_id"]?.int != nil)
            #expect(listing["devices"]?.count == 1)
            let first = try #require(listing["devices"]?.elements.first { _ in true })
            #expect(first["device_id"]?.string == device.string)
            #expect(first["keys"]?["keys"]?.value == keys["keys"])

            let nobody = try #require(UserID("@nobody:here.example"))
            await #expect(throws: FakeServer.Refusal(status: 404, code: "M_NOT_FOUND")) {
                try await other.ask(UserDevicesRequest(nobody))
            }
            let foreign = try #require(UserID("@someone:elsewhere.example"))
            let answer = try await other.ask(
                KeysQueryRequest([alice.id: [], nobody: [], foreign: []], timeoutMilliseconds: 1))
            #expect(answer["device_keys"]?.count == 1)
            #expect(answer["device_keys"]?[alice.id.string]?[device.string] != nil)
            #expect(server.outside.askedKeys.isEmpty)

            let wanted: [UserID: [DeviceID: KeyAlgorithm]] = [alice.id: [device: "my"], foreign: [device: "my"]]
            var claimed = try await other.ask(KeysClaimRequest(wanted, timeoutMilliseconds: 1))
            #expect(claimed["one_time_keys"]?[alice.id.string]?[device.string]?.value == ["my:1": "one"])
            claimed = try await other.ask(KeysClaimRequest(wanted, timeoutMilliseconds: 1))
            #expect(claimed["one_time_keys"]?.value == [:])
        }
    }

    @Test func openIDTokensProveWhoSomebodyIs() async throws {
        try await withServer { server, other, alice in
            let token = try await server.openID.issue(for: alice.number)
            #expect(token.lifetimeSeconds == 3_600)
            func ask(_ token: String) async -> HTTPResponse {
                await server.router.respond(.get, "/_matrix/federation/v1/openid/userinfo?access_token=\(token)")
            }
            let good = await ask(token.token)
            #expect(good.status == 200)
            #expect(try JSON(parsing: try await FakeServer.bytes(of: good)).value == ["sub": .string(alice.id.string)])
            #expect(await ask("wrong").status == 401)
            #expect(await ask("").status == 401)
            // No access token of a session is one, and only hashes are kept.
            let texts = try await server.store.read { reader in
                try reader.sql.all("SELECT hash FROM openid_tokens") { try $0.blob(0) }
            }
            #expect(texts == [TokenHash(of: token.token).bytes])
            server.clock.advance(milliseconds: 3_600_000)
            #expect(await ask(token.token).status == 401)
            for _ in 0..<(OpenIDTokenWriter.tokensPerUser + 20) {
                server.clock.advance(milliseconds: 1)
                _ = try await server.openID.issue(for: alice.number)
            }
            let count = try await server.store.read { reader in
                try reader.sql.first("SELECT COUNT(*) FROM openid_tokens") { try $0.int(0) }
            }
            #expect(count == Int64(OpenIDTokenWriter.tokensPerUser))
        }
    }

    // MARK: Media

    private func read(_ response: HTTPResponse) async throws -> (head: [MultipartReader.Field], content: [UInt8]) {
        let type = try #require(response.headers["Content-Type"])
        var reader = try #require(MultipartReader(contentType: type))
        let bytes = try await FakeServer.bytes(of: response)
        if case .stream(let length?, _) = response.body { #expect(length == bytes.count) }
        var head: [MultipartReader.Field] = []
        var content: [UInt8] = []
        for output in try reader.receive(bytes) {
            switch output {
            case .head(let fields): head = fields
            case .content(let part): content += part
            case .end: break
            }
        }
        try reader.finish()
        return (head, content)
    }

    private func upload(
        _ bytes: [UInt8], _ contentType: String, _ name: String?, _ server: InboundServer, _ user: Requester
    ) async throws -> MediaReference {
        let rest = Mutex<[UInt8]?>(bytes)
        return try await server.media.upload(
            IncomingFile(contentType: contentType, uploadName: name, declaredBytes: Int64(bytes.count)) {
                rest.withLock { rest in
                    defer { rest = nil }
                    return rest
                }
            },
            by: user.number)
    }

    @Test func filesAreGivenInTwoParts() async throws {
        try await withServer { server, other, alice in
            let picture = TestPictures.png(width: 900, height: 700)
            let reference = try await upload(picture, "image/png", "a \"name\"\r\n.png", server, alice)
            let path = "/_matrix/federation/v1/media/download/\(reference.id)"
            var (head, content) = try await read(try await other.respond(.get, path))
            #expect(content == picture)
            #expect(head.first { $0.name == "content-type" }?.value == "image/png")
            let disposition = try #require(head.first { $0.name == "content-disposition" }?.value)
            #expect(FederationWire.ContentDisposition.fileName(in: disposition) == "a \"name\"\r\n.png")
            let thumbnail = "/_matrix/federation/v1/media/thumbnail/\(reference.id)?width=320&height=240&method=scale"
            (head, content) = try await read(try await other.respond(.get, thumbnail))
            #expect(!content.isEmpty && content.count < picture.count)
            #expect(head.contains { $0.name == "content-type" && $0.value.hasPrefix("image/") })

            #expect(try await other.respond(.get, "/_matrix/federation/v1/media/download/unknown").status == 404)
            #expect(
                try await other.respond(.get, "/_matrix/federation/v1/media/thumbnail/unknown?width=1&height=1").status
                    == 404)
            #expect(try await other.ask(.get, "/_matrix/federation/v1/media/thumbnail/\(reference.id)").status == 400)
            #expect(await server.router.respond(.get, path).status == 401)
            try await server.media.setQuarantined(reference, true)
            #expect(try await other.ask(.get, path).code == "M_NOT_FOUND")
            #expect(try await other.ask(.get, thumbnail).code == "M_NOT_FOUND")
        }
    }

    // MARK: Third-party invites

    @Test func addressesThatBecomeUsersAreInvited() async throws {
        try await withServer { server, other, alice in
            let identity = try #require(SigningKey(seed: [UInt8](repeating: 9, count: 32), version: "0"))
            let bob = try await server.user("bob")
            var room = NewRoom()
            room.preset = .privateChat
            let content: JSONValue = [
                "display_name": "b...@example", "public_key": .string(identity.publicKey.base64),
                "key_validity_url": "https://id.example/valid",
                "public_keys": [["public_key": .string(identity.publicKey.base64)]],
            ]
            room.initialState = [.init(type: .thirdPartyInvite, key: "token", content: content.json)]
            let id = try await server.rooms.create(room, by: alice)
            func bind(
                _ signed: JSONValue, by sender: UserID, _ user: UserID, to room: RoomID? = nil
            ) async -> HTTPResponse {
                let body: JSONValue = [
                    "medium": "email", "address": "b@example", "mxid": .string(user.string),
                    "invites": [
                        [
                            "medium": "email", "address": "b@example", "mxid": .string(user.string),
                            "room_id": .string((room ?? id).string), "sender": .string(sender.string),
                            "signed": signed,
                        ]
                    ],
                ]
                return await server.router.respond(
                    .put, "/_matrix/federation/v1/3pid/onbind", body: .bytes(body.serialized()))
            }
            let unsigned: JSONValue = ["mxid": .string(bob.id.string), "token": "token"]
            let forged = try JSONSigning.sign(
                unsigned, as: ServerName(trusted: "id.example"),
                key: try #require(SigningKey(seed: [UInt8](repeating: 8, count: 32), version: "0")))
            #expect(await bind(forged, by: alice.id, bob.id).status == 403)
            let signed = try JSONSigning.sign(unsigned, as: ServerName(trusted: "id.example"), key: identity)
            let number = try #require(try await server.store.number(of: id))
            #expect(try await server.rooms.view(number).membership(of: bob.id) == nil)
            #expect(await bind(signed, by: alice.id, bob.id).status == 200)
            #expect(try await server.rooms.view(number).membership(of: bob.id) == .invite)
            // Whoever was invited by a user of another server is invited there, unless this server is in the room: then the room's rules say
            // whether that user has invited anybody.
            let inviter = try other.user("inviter")
            #expect(await bind(signed, by: inviter, bob.id).status == 403)
            #expect(server.outside.exchanged.isEmpty)
            let elsewhere = try #require(RoomID("!elsewhere:there.example"))
            #expect(await bind(signed, by: inviter, bob.id, to: elsewhere).status == 200)
            #expect(server.outside.exchanged.first?["sender"]?.string == inviter.string)
            #expect(server.outside.exchanged.first?["content"]?["third_party_invite"]?["signed"] == signed)
            let nobody = try #require(UserID("@nobody:here.example"))
            #expect(await bind(unsigned, by: alice.id, nobody).status == 400)
            let foreign = try #require(UserID("@x:elsewhere.example"))
            let body: JSONValue = ["medium": "email", "address": "x", "mxid": .string(foreign.string), "invites": []]
            let response = await server.router.respond(
                .put, "/_matrix/federation/v1/3pid/onbind", body: .bytes(body.serialized()))
            #expect(response.status == 404)
        }
    }

    @Test func othersRedeemInvitationsOfAddresses() async throws {
        try await withServer { server, other, alice in
            let identity = try #require(SigningKey(seed: [UInt8](repeating: 9, count: 32), version: "0"))
            var room = NewRoom()
            room.preset = .privateChat
            let content: JSONValue = [
                "display_name": "b...@example", "public_key": .string(identity.publicKey.base64),
                "public_keys": [["public_key": .string(identity.publicKey.base64)]],
            ]
            room.initialState = [.init(type: .thirdPartyInvite, key: "token", content: content.json)]
            let id = try await server.rooms.create(room, by: alice)
            let bob = try other.user("bob")
            func exchange(
                _ target: UserID, sender: UserID? = nil, key: SigningKey? = nil, token: String = "token",
                room: RoomID? = nil, membership: String = "invite", as peer: FakeServer? = nil
            ) async throws -> FakeServer.Answer {
                let statement: JSONValue = ["mxid": .string(target.string), "token": .string(token)]
                let signed = try JSONSigning.sign(
                    statement, as: ServerName(trusted: "id.example"), key: key ?? identity)
                let body: JSONValue = [
                    "type": "m.room.member", "room_id": .string((room ?? id).string),
                    "sender": .string((sender ?? alice.id).string), "state_key": .string(target.string),
                    "content": ["membership": .string(membership), "third_party_invite": ["signed": signed]],
                ]
                return try await (peer ?? other).ask(
                    .put, "/_matrix/federation/v1/exchange_third_party_invite/\(id)", body: body.serialized())
            }
            let stranger = try #require(SigningKey(seed: [UInt8](repeating: 8, count: 32), version: "0"))
            #expect(try await exchange(bob, key: stranger).code == "M_FORBIDDEN")
            #expect(try await exchange(bob, token: "other").code == "M_FORBIDDEN")
            #expect(try await exchange(bob, sender: try other.user("inviter")).code == "M_FORBIDDEN")
            #expect(try await exchange(bob, room: RoomID(trusted: "!other:here.example")).status == 400)
            #expect(try await exchange(bob, membership: "join").status == 400)
            // Nobody informs of another server's users.
            let third = try FakeServer("third.example", asking: server)
            #expect(try await exchange(bob, as: third).code == "M_FORBIDDEN")
            let number = try #require(try await server.store.number(of: id))
            #expect(try await server.rooms.view(number).membership(of: bob) == nil)
            #expect(server.outside.invited.isEmpty)
            // The invite is made here and goes to bob's server, which has to sign it.
            _ = try await exchange(bob)
            let invite = try #require(server.outside.invited.first)
            #expect(invite["state_key"]?.string == bob.string && invite["sender"]?.string == alice.id.string)
            #expect(invite["content"]?["third_party_invite"]?["display_name"]?.string == "b...@example")
        }
    }
}
