import Matrix
import RoomEngine
import Store
import Testing

@testable import Homeserver

/// What is told of an event, looked up when it is told, on both engines.
@Suite struct PushContentTests {
    private func pusher(_ user: Requester) throws -> PusherRecord {
        PusherRecord(
            user: user.number, device: try #require(DeviceID("D")), kind: "http", appID: "app", pushKey: "key",
            appDisplayName: "A", deviceDisplayName: "D", profileTag: nil, language: "fr", data: [])
    }

    private let actions = Array(#"["notify",{"set_tweak":"highlight"},{"set_tweak":"sound","value":"ping"}]"#.utf8)

    @Test func anEventIsToldWithItsRoomUnlessItIsReadOrRedacted() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let (alice, bob) = (try await fixture.user("alice"), try await fixture.user("bob"))
            var creation = NewRoom()
            creation.name = "Room"
            let room = try await fixture.room(alice, [bob], creation)
            let content = PushContent(store: fixture.store, rooms: fixture.rooms, unread: fixture.unread)
            func subject(_ id: EventID, for user: Requester) async throws -> PushNotification.Subject? {
                let number = try #require(try await fixture.store.event(id)).number
                return try await content.subject(number, actions, for: try pusher(user))
            }
            let first = try await fixture.send("notify", to: room, by: alice)
            let told = try #require(try await subject(first, for: bob))
            #expect(told.roomName == "Room" && told.roomAlias == nil && told.recipient == bob.id)
            #expect(told.actions.count == 3)
            let notification = PushNotification(pusher: try pusher(bob), subject: told, unreadCount: 4)
            let whole = try JSON(parsing: notification.body(.init(Array("{}".utf8)))).value["notification"]
            #expect(whole?["event_id"]?.string == first.string && whole?["id"]?.string == first.string)
            #expect(whole?["room_id"]?.string == room.string && whole?["room_name"]?.string == "Room")
            #expect(whole?["type"]?.string == "m.room.message" && whole?["sender"]?.string == alice.id.string)
            #expect(whole?["content"]?["body"]?.string == "notify" && whole?["prio"]?.string == "high")
            #expect(whole?["counts"] == ["unread": 4] && whole?["user_is_target"] == nil)
            let short = try JSON(parsing: notification.body(.init(Array(#"{"format":"event_id_only"}"#.utf8))))
            #expect(
                short["notification"]?.members.map(\.name) == ["event_id", "room_id", "prio", "counts", "devices"])
            let tweaks = short["notification"]?["devices"]?.elements.map { $0["tweaks"]?.value }
            #expect(tweaks == [["highlight": true, "sound": "ping"]])

            #expect(try await content.unreadCount(of: bob.number) == 1)
            try await fixture.receipts.set(.readPrivate, event: first, of: bob.id, in: room)
            #expect(try await subject(first, for: bob) == nil)
            #expect(try await content.unreadCount(of: bob.number) == 0)
            let second = try await fixture.send("notify", to: room, by: alice)
            #expect(try await subject(second, for: bob) != nil)
            _ = try await fixture.rooms.redact(
                second, content: JSON.emptyObject, transactionID: "r", in: room, by: alice)
            #expect(try await subject(second, for: bob) == nil)
            let third = try await fixture.send("notify", to: room, by: alice)
            try await fixture.rooms.leave(room, by: bob)
            #expect(try await subject(third, for: bob) == nil)
        }
    }

    @Test func anInvitationIsToldUntilItIsAnswered() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let (alice, bob) = (try await fixture.user("alice"), try await fixture.user("bob"))
            let room = try await fixture.room(alice)
            try await fixture.rooms.invite(bob.id, to: room, by: alice, reason: nil)
            let number = try #require(try await fixture.store.number(of: room))
            let invitation = try #require(
                try await fixture.store.read { try $0.memberships.membership(of: bob.number, in: number) }
            ).event
            let content = PushContent(store: fixture.store, rooms: fixture.rooms, unread: fixture.unread)
            let told = try #require(try await content.subject(invitation, actions, for: try pusher(bob)))
            let body = PushNotification(pusher: try pusher(bob), subject: told, unreadCount: 0)
                .body(.init(Array("{}".utf8)))
            #expect(try JSON(parsing: body)["notification"]?["user_is_target"]?.bool == true)
            try await fixture.rooms.join(room, by: bob)
            #expect(try await content.subject(invitation, actions, for: try pusher(bob)) == nil)
        }
    }
}
