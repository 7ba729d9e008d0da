import Homeserver
import Matrix
import Store
import Testing

@Suite struct DirectoryTests {
    private func alias(_ name: String) throws -> RoomAlias { try #require(RoomAlias("#\(name):here.example")) }

    @Test func membersMakeAliases() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let eve = try await fixture.user("eve")
            let room = try await fixture.room(alice, [bob])
            let directory = fixture.directory
            let alias = try alias("☕")
            try await directory.create(alias, for: room, by: bob.id)
            #expect(
                try await directory.resolve(alias)
                    == ResolvedAlias(room: room, servers: [UserDataFixture.serverName]))
            #expect(try await errorCode { try await directory.create(alias, for: room, by: alice.id) } == .unknown)
            let other = try self.alias("other")
            #expect(try await errorCode { try await directory.create(other, for: room, by: eve.id) } == .forbidden)
            for bad in ["#x:else.example", "# :here.example", "#:here.example"] {
                let bad = try #require(RoomAlias(bad))
                let code = try await errorCode { try await directory.create(bad, for: room, by: bob.id) }
                #expect(code == .invalidParameter, "\(bad)")
            }
            #expect(try await directory.aliases(of: room, for: alice.id) == [alias])
            #expect(try await errorCode { _ = try await directory.aliases(of: room, for: eve.id) } == .forbidden)
            #expect(try await directory.alias(alias, standsFor: room))
            #expect(try await !directory.alias(other, standsFor: room))
        }
    }

    @Test func aliasesAreRemovedByWhoMayOnly() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            let directory = fixture.directory
            let (first, second, third) = (try alias("1"), try alias("2"), try alias("3"))
            try await directory.create(first, for: room, by: alice.id)
            try await directory.create(second, for: room, by: bob.id)
            try await directory.create(third, for: room, by: bob.id)
            #expect(try await errorCode { try await directory.remove(first, by: bob.id) } == .forbidden)
            #expect(try await directory.remove(second, by: bob.id) == room)
            #expect(try await directory.remove(third, by: alice.id) == room)
            #expect(try await errorCode { try await directory.remove(third, by: alice.id) } == .notFound)
            #expect(try await directory.aliases(of: room, for: alice.id) == [first])
        }
    }

    @Test func visibilityTakesPower() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            let room = try await fixture.room(alice, [bob])
            let directory = fixture.directory
            #expect(try await !directory.isPublished(room))
            #expect(try await errorCode { try await directory.setPublished(true, room, by: bob.id) } == .forbidden)
            try await directory.setPublished(true, room, by: alice.id)
            #expect(try await directory.isPublished(room))
            let unknown = try #require(RoomID("!none:here.example"))
            #expect(try await errorCode { _ = try await directory.isPublished(unknown) } == .notFound)
        }
    }

    @Test func theListIsOrderedFilteredAndPaged() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let bob = try await fixture.user("bob")
            var rooms: [RoomID] = []
            for number in 0..<5 {
                var room = NewRoom()
                room.name = "Room \(number)"
                room.isPublished = number != 4
                if number == 1 { room.creationContent = ["type": "m.space"] }
                rooms.append(try await fixture.room(alice, number == 2 ? [bob] : [], room))
            }
            let list = fixture.publicRooms
            func ids(_ query: PublicRoomsQuery) async throws -> [RoomID] {
                try await list.page(query).rooms.map(\.roomID)
            }
            #expect(try await ids(PublicRoomsQuery()) == [rooms[2], rooms[0], rooms[1], rooms[3]])
            #expect(try await ids(PublicRoomsQuery(searchTerm: "ROOM 3")) == [rooms[3]])
            #expect(try await ids(PublicRoomsQuery(roomTypes: ["m.space"])) == [rooms[1]])
            #expect(try await ids(PublicRoomsQuery(roomTypes: [nil])) == [rooms[2], rooms[0], rooms[3]])
            #expect(try await ids(PublicRoomsQuery(thirdPartyInstanceID: "irc")) == [])

            let first = try await list.page(PublicRoomsQuery(limit: 2))
            #expect(first.rooms.map(\.roomID) == [rooms[2], rooms[0]] && first.total == 4 && first.previous == nil)
            // A room that grows meanwhile moves to the front, and no other is missed.
            try await fixture.rooms.join(rooms[3], by: bob)
            let second = try await list.page(PublicRoomsQuery(limit: 2, since: first.next))
            #expect(second.rooms.map(\.roomID) == [rooms[1]] && second.next == nil)
            let back = try await list.page(PublicRoomsQuery(limit: 2, since: second.previous))
            #expect(back.rooms.map(\.roomID) == [rooms[3], rooms[0]])
            #expect(try await errorCode { _ = try await list.page(PublicRoomsQuery(since: "x")) } == .invalidParameter)
        }
    }

    @Test func entriesFollowTheState() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            var room = NewRoom()
            room.isPublished = true
            room.name = "Before"
            let id = try await fixture.room(alice, [], room)
            #expect(try await fixture.publicRooms.page(PublicRoomsQuery()).rooms.map(\.name) == ["Before"])
            _ = try await fixture.rooms.setState(
                .name, key: "", content: try JSON(parsing: #"{"name": "After"}"#), in: id, by: alice)
            let entry = try #require(try await fixture.publicRooms.page(PublicRoomsQuery()).rooms.first)
            #expect(entry.name == "After" && entry.joinRule == "public" && entry.joinedMembers == 1)
            #expect(!entry.isWorldReadable && entry.guestCanJoin == false)
        }
    }
}
