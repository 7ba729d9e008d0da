import Homeserver
import Matrix
import Store
import Testing

@Suite struct AccountDataTests {
    private func json(_ text: String) throws -> JSON { try JSON(parsing: text) }

    @Test func itemsAreKeptGloballyAndPerRoom() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice)
            let before = fixture.store.journal.end
            let service = fixture.accountData
            try await service.set(try json(#"{"a": 1}"#), of: alice.id, type: "x.y")
            try await service.set(try json(#"{"b": 2}"#), of: alice.id, room: room, type: "x.y")
            #expect(try await service.content(of: alice.id, type: "x.y") == Array(#"{"a": 1}"#.utf8))
            #expect(try await service.content(of: alice.id, room: room, type: "x.y") == Array(#"{"b": 2}"#.utf8))
            #expect(
                try await errorCode { _ = try await service.content(of: bob.id, type: "x.y") } == .notFound)

            let end = fixture.store.journal.end
            let changed = try await fixture.store.read { reader in
                try service.changed(of: alice.id, number: alice.number, after: before, through: end, in: reader)
            }
            #expect(changed.map(\.room) == [nil, try await fixture.store.number(of: room)])
            let announced = try #require(fixture.store.journal.entries(after: before, through: end))
            #expect(announced.count == 2)
        }
    }

    @Test func savingTheSameAgainWakesNobody() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            try await fixture.accountData.set(try json(#"{"a": 1}"#), of: alice.id, type: "x.y")
            let end = fixture.store.journal.end
            try await fixture.accountData.set(try json(#"{"a": 1}"#), of: alice.id, type: "x.y")
            #expect(fixture.store.journal.end == end)
        }
    }

    @Test func aDeletionIsToldAsAnEmptyContentOnce() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let service = fixture.accountData
            try await service.set(try json(#"{"a": 1}"#), of: alice.id, type: "x.y")
            let before = fixture.store.journal.end
            try await service.delete(of: alice.id, type: "x.y")
            let end = fixture.store.journal.end
            let changed = try await fixture.store.read { reader in
                try service.changed(of: alice.id, number: alice.number, after: before, through: end, in: reader)
            }
            #expect(changed.map(\.content) == [Array("{}".utf8)])
            #expect(try await errorCode { _ = try await service.content(of: alice.id, type: "x.y") } == .notFound)
            let all = try await fixture.store.read { try service.all(of: alice.id, number: alice.number, in: $0) }
            #expect(all.map(\.type) == ["m.push_rules"])
            try await service.delete(of: alice.id, type: "x.y")
            #expect(fixture.store.journal.end == end)
        }
    }

    @Test func theServersOwnItemsAreRefused() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            for type in ["m.fully_read", "m.push_rules"] {
                do {
                    try await fixture.accountData.set(.emptyObject, of: alice.id, type: type)
                    Issue.record("\(type) was taken")
                } catch let error as MatrixError {
                    #expect(error.status == 405 && error.code == .badJSON)
                }
            }
            #expect(
                try await errorCode { try await fixture.accountData.set(try json("[]"), of: alice.id, type: "x") }
                    == .badJSON)
        }
    }

    @Test func tagsAreAccountDataOfTheRoom() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let room = try await fixture.room(alice)
            let tags = TagService(store: fixture.store)
            try await tags.set("u.work", try json(#"{"order": 0.5}"#), of: alice.id, room: room)
            try await tags.set("m.favourite", .emptyObject, of: alice.id, room: room)
            #expect(
                try await tags.tags(of: alice.id, room: room).members.map(\.name.string) == ["u.work", "m.favourite"])
            #expect(
                try await fixture.accountData.content(of: alice.id, room: room, type: "m.tag")
                    == Array(#"{"tags":{"u.work":{"order":0.5},"m.favourite":{}}}"#.utf8))
            try await tags.remove("u.work", of: alice.id, room: room)
            let end = fixture.store.journal.end
            try await tags.remove("u.work", of: alice.id, room: room)
            #expect(fixture.store.journal.end == end)
            #expect(try await tags.tags(of: alice.id, room: room).members.map(\.name.string) == ["m.favourite"])
            let malformed = try json(#"{"order": "first"}"#)
            #expect(
                try await errorCode { try await tags.set("x", malformed, of: alice.id, room: room) } == .badJSON)
        }
    }

    @Test func ignoredUsersFollowTheList() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let ignored = IgnoredUsers(store: fixture.store)
            #expect(try await ignored.ignoredUsers(of: alice.number) == [])
            try await fixture.accountData.set(
                try json(#"{"ignored_users": {"@bob:here.example": {}, "nonsense": {}}}"#), of: alice.id,
                type: "m.ignored_user_list")
            #expect(try await ignored.ignoredUsers(of: alice.number) == [bob.id])
            try await fixture.accountData.set(
                try json(#"{"ignored_users": {}}"#), of: alice.id, type: "m.ignored_user_list")
            #expect(try await ignored.ignoredUsers(of: alice.number) == [])
        }
    }

    @Test func theSameFilterHasOneName() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let filters = FilterService(store: fixture.store)
            let first = try await filters.upload(try json(#"{"room": {"timeline": {"limit": 1}}}"#), of: alice.id)
            let again = try await filters.upload(try json(#"{ "room":{"timeline":{"limit":1}} }"#), of: alice.id)
            let other = try await filters.upload(try json(#"{"room": {"timeline": {"limit": 2}}}"#), of: alice.id)
            #expect(first == again && first != other)
            #expect(try await filters.filter(first, of: alice.number).room.timeline.limit == 1)
            #expect(try await filters.filter(#"{"room": {"include_leave": true}}"#, of: alice.number).room.includeLeave)
            #expect(try await filters.filter(nil, of: alice.number).room.timeline.isAll)
            #expect(try await errorCode { _ = try await filters.json(first, of: bob.id) } == .notFound)
            #expect(try await errorCode { _ = try await filters.filter("99", of: alice.number) } == .invalidParameter)
            #expect(
                try await errorCode { _ = try await filters.upload(try json(#"{"room": 1}"#), of: alice.id) }
                    == .badJSON)
        }
    }
}
