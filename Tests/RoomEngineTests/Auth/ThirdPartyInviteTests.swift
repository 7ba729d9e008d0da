import Matrix
import RoomEngine
import Testing

@Suite struct ThirdPartyInviteTests {
    let key = SigningKey(seed: Array(repeating: 7, count: 32), version: "0")
    let other = SigningKey(seed: Array(repeating: 8, count: 32), version: "0")

    /// Dave's invitation by Bob, who had invited the owner of an address.
    func invite(
        _ room: RoomFixture, mxid: String = Who.dave, token: String = "token", by sender: String = Who.bob,
        edit: (inout JSONValue) -> Void = { _ in }
    ) throws -> Event {
        let key = try #require(key)
        let server = try #require(ServerName("identity.example"))
        var signed = try JSONSigning.sign(
            ["mxid": .string(mxid), "token": .string(token)] as JSONValue, as: server, key: key
        )
        edit(&signed)
        return room.event(
            "i", .member, by: sender, key: Who.dave,
            ["membership": "invite", "third_party_invite": ["display_name": "d…", "signed": signed]]
        )
    }

    func state(_ room: RoomFixture, keys: JSONValue? = nil, _ more: Event? = nil) throws -> EventListState {
        let key = try #require(key)
        let content = keys ?? ["public_key": .string(key.publicKey.base64)]
        let origin = room.event("t", .thirdPartyInvite, by: Who.bob, key: "token", content)
        return more.map { room.state(origin, $0) } ?? room.state(origin)
    }

    @Test(arguments: RoomVersion.all)
    func theProofHolds(version: RoomVersion) throws {
        let room = RoomFixture(version)
        #expect(rejection(try invite(room), try state(room)) == nil)
        let key = try #require(key)
        let other = try #require(other)
        let several: JSONValue = [
            "public_key": .string(other.publicKey.base64),
            "public_keys": [["public_key": "!"], ["public_key": .string(key.publicKey.base64)]],
        ]
        #expect(rejection(try invite(room), try state(room, keys: several)) == nil)
    }

    @Test(arguments: RoomVersion.all)
    func everyPartIsNeeded(version: RoomVersion) throws {
        let room = RoomFixture(version)
        let state = try state(room)
        let banned = try self.state(room, room.member(Who.dave, "ban", by: Who.alice))
        #expect(rejection(try invite(room), banned) == .thirdPartyInviteOfBanned)
        let unsigned = room.event(
            "i", .member, by: Who.bob, key: Who.dave, ["membership": "invite", "third_party_invite": [:]])
        #expect(rejection(unsigned, state) == .thirdPartyInviteMalformed)
        #expect(rejection(try invite(room) { $0["mxid"] = nil }, state) == .thirdPartyInviteMalformed)
        #expect(rejection(try invite(room) { $0["token"] = nil }, state) == .thirdPartyInviteMalformed)
        #expect(rejection(try invite(room, mxid: Who.evil), state) == .thirdPartyInviteForOther)
        #expect(rejection(try invite(room, token: "other"), state) == .thirdPartyInviteUnknown)
        #expect(rejection(try invite(room, by: Who.alice), state) == .thirdPartyInviteByOther)
        #expect(rejection(try invite(room) { $0["signatures"] = nil }, state) == .thirdPartyInviteBadSignature)
        #expect(rejection(try invite(room) { $0["more"] = 1 }, state) == .thirdPartyInviteBadSignature)
        let other = try #require(other)
        let otherKey = try self.state(room, keys: ["public_key": .string(other.publicKey.base64)])
        #expect(rejection(try invite(room), otherKey) == .thirdPartyInviteBadSignature)
    }
}
