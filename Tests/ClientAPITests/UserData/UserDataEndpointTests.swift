import Homeserver
import Matrix
import Store
import Testing

@Suite struct UserDataEndpointTests {
    private let owner = "user/@alice:here.example"

    @Test func accountData() async throws {
        try await UserDataServer.onEachEngine { server in
            let path = "\(owner)/account_data/org.example.x"
            #expect(try await server.ask(.get, path).code == "M_NOT_FOUND")
            #expect(try await server.ask(.put, path, #"{"a":1}"#).text == "{}")
            #expect(try await server.ask(.get, path).text == #"{"a":1}"#)
            #expect(try await server.ask(.get, path, as: "bob").code == "M_FORBIDDEN")
            #expect(try await server.ask(.put, path, #"{}"#, as: "bob").code == "M_FORBIDDEN")
            #expect(try await server.ask(.put, path, "nonsense").code == "M_NOT_JSON")
            #expect(try await server.ask(.put, path, "[]").code == "M_BAD_JSON")
            #expect(try await server.ask(.put, "\(owner)/account_data/m.push_rules", "{}").status == 405)
            let room = try await server.room(try await server.user("alice"))
            let roomPath = "\(owner)/rooms/\(room)/account_data/org.example.x"
            #expect(try await server.ask(.get, roomPath).code == "M_NOT_FOUND")
            #expect(try await server.ask(.put, roomPath, #"{"b":2}"#).status == 200)
            #expect(try await server.ask(.get, roomPath).text == #"{"b":2}"#)
            #expect(
                try await server.ask(.get, "\(owner)/rooms/nonsense/account_data/x").code == "M_INVALID_PARAM")
            let unstable = "/_matrix/client/unstable/org.matrix.msc3391/\(path)"
            #expect(try await server.ask(.delete, unstable).status == 200)
            #expect(try await server.ask(.get, path).code == "M_NOT_FOUND")
        }
    }

    @Test func tags() async throws {
        try await UserDataServer.onEachEngine { server in
            let room = try await server.room(try await server.user("alice"))
            let path = "\(owner)/rooms/\(room)/tags"
            #expect(try await server.ask(.get, path).text == #"{"tags":{}}"#)
            #expect(try await server.ask(.put, "\(path)/u.work", #"{"order":0.25}"#).text == "{}")
            #expect(try await server.ask(.get, path).text == #"{"tags":{"u.work":{"order":0.25}}}"#)
            #expect(try await server.ask(.delete, "\(path)/u.work").text == "{}")
            #expect(try await server.ask(.get, path).text == #"{"tags":{}}"#)
        }
    }

    @Test func filters() async throws {
        try await UserDataServer.onEachEngine { server in
            let filter = #"{"room":{"timeline":{"limit":10}}}"#
            let created = try await server.ask(.post, "\(owner)/filter", filter)
            let id = try #require(created.body["filter_id"]?.string)
            #expect(try await server.ask(.get, "\(owner)/filter/\(id)").text == filter)
            #expect(try await server.ask(.get, "\(owner)/filter/99").code == "M_NOT_FOUND")
            #expect(try await server.ask(.post, "\(owner)/filter", #"{"room":[]}"#).code == "M_BAD_JSON")
            #expect(try await server.ask(.post, "\(owner)/filter", filter, as: "bob").code == "M_FORBIDDEN")
        }
    }

    @Test func receiptsAndMarkers() async throws {
        try await UserDataServer.onEachEngine { server in
            let alice = try await server.user("alice")
            let room = try await server.room(alice)
            let event = try await server.rooms.send(
                .message, content: try JSON(parsing: #"{"body":"x","msgtype":"m.text"}"#), transactionID: "1", to: room,
                by: alice)
            let receipt = "rooms/\(room)/receipt"
            #expect(try await server.ask(.post, "\(receipt)/m.read/\(event)").text == "{}")
            #expect(try await server.ask(.post, "\(receipt)/m.read/\(event)", #"{"thread_id":"main"}"#).status == 200)
            #expect(
                try await server.ask(.post, "\(receipt)/m.read/\(event)", #"{"thread_id":1}"#).code == "M_INVALID_PARAM"
            )
            #expect(try await server.ask(.post, "\(receipt)/m.other/\(event)").code == "M_INVALID_PARAM")
            #expect(try await server.ask(.post, "\(receipt)/m.read/\(event)", as: "bob").code == "M_FORBIDDEN")
            let markers = #"{"m.fully_read":"\#(event)","m.read.private":"\#(event)"}"#
            #expect(try await server.ask(.post, "rooms/\(room)/read_markers", markers).text == "{}")
            #expect(
                try await server.ask(.get, "\(owner)/rooms/\(room)/account_data/m.fully_read").text
                    == #"{"event_id":"\#(event)"}"#)
            let number = try #require(try await server.store.number(of: room))
            let stored = try await server.store.read { try $0.receipts.receipts(of: alice.number, in: number) }
            #expect(
                stored.map { "\($0.receipt.type) \($0.receipt.thread ?? "-")" } == [
                    "m.read -", "m.read main", "m.read.private -",
                ])
        }
    }

    @Test func typing() async throws {
        try await UserDataServer.onEachEngine { server in
            let alice = try await server.user("alice")
            let room = try await server.room(alice)
            let number = try #require(try await server.store.number(of: room))
            let path = "rooms/\(room)/typing/@alice:here.example"
            #expect(try await server.ask(.put, path, #"{"typing":true,"timeout":5000}"#).text == "{}")
            #expect(server.typing.typists(in: number) == [alice.id])
            #expect(try await server.ask(.put, path, #"{"typing":false}"#).text == "{}")
            #expect(server.typing.typists(in: number) == [])
            #expect(try await server.ask(.put, path, #"{"typing":true}"#, as: "bob").code == "M_FORBIDDEN")
            #expect(try await server.ask(.put, path, "{}").code == "M_MISSING_PARAM")
        }
    }

    @Test func presence() async throws {
        try await UserDataServer.onEachEngine { server in
            let path = "presence/@alice:here.example/status"
            let set = try await server.ask(.put, path, #"{"presence":"online","status_msg":"here"}"#)
            #expect(set.text == "{}")
            #expect(
                try await server.ask(.get, path).text
                    == #"{"presence":"online","last_active_ago":0,"status_msg":"here","currently_active":true}"#)
            #expect(try await server.ask(.get, path, as: "bob").code == "M_FORBIDDEN")
            #expect(try await server.ask(.put, path, #"{"presence":"online"}"#, as: "bob").code == "M_FORBIDDEN")
            #expect(try await server.ask(.put, path, #"{"presence":"asleep"}"#).code == "M_BAD_JSON")
        }
    }

    @Test func pushRules() async throws {
        try await UserDataServer.onEachEngine { server in
            let all = try await server.ask(.get, "pushrules/")
            #expect(
                all.body["global"]?["override"]?.elements.first { _ in true }?["rule_id"]?.string == ".m.rule.master")
            let path = "pushrules/global/content/cake"
            #expect(try await server.ask(.get, path).code == "M_NOT_FOUND")
            #expect(try await server.ask(.put, path, #"{"pattern":"cake","actions":["notify"]}"#).text == "{}")
            #expect(try await server.ask(.get, path).body["pattern"]?.string == "cake")
            let tea = "pushrules/global/content/tea"
            let body = #"{"pattern":"tea","actions":[]}"#
            #expect(try await server.ask(.put, "\(tea)?after=cake", body).text == "{}")
            let kind = try await server.ask(.get, "pushrules/global/content/")
            #expect(kind.body.elements.prefix(2).map { $0["rule_id"]?.string } == ["cake", "tea"])
            #expect(try await server.ask(.get, "pushrules/global/").body["content"]?.count == kind.body.count)
            #expect(try await server.ask(.put, "\(tea)?before=none", body).code == "M_NOT_FOUND")
            #expect(try await server.ask(.get, "\(path)/enabled").text == #"{"enabled":true}"#)
            #expect(try await server.ask(.put, "\(path)/enabled", #"{"enabled":false}"#).text == "{}")
            #expect(try await server.ask(.get, "\(path)/enabled").text == #"{"enabled":false}"#)
            #expect(try await server.ask(.put, "\(path)/actions", #"{"actions":[]}"#).text == "{}")
            #expect(try await server.ask(.get, "\(path)/actions").text == #"{"actions":[]}"#)
            #expect(try await server.ask(.delete, path).text == "{}")
            #expect(try await server.ask(.delete, path).code == "M_NOT_FOUND")
            #expect(try await server.ask(.get, "pushrules/global/nonsense/x").code == "M_INVALID_PARAM")
            #expect(try await server.ask(.delete, "pushrules/global/override/.m.rule.master").code == "M_INVALID_PARAM")
        }
    }

    @Test func directory() async throws {
        try await UserDataServer.onEachEngine { server in
            let alice = try await server.user("alice")
            var new = NewRoom()
            new.name = "Tea"
            let room = try await server.room(alice, [try await server.user("bob")], new)
            let alias = "directory/room/%23tea:here.example"
            #expect(try await server.ask(.get, alias, as: nil).code == "M_NOT_FOUND")
            #expect(try await server.ask(.put, alias, #"{"room_id":"\#(room)"}"#).text == "{}")
            #expect(try await server.ask(.put, alias, #"{"room_id":"\#(room)"}"#).status == 409)
            #expect(
                try await server.ask(.get, alias, as: nil).text
                    == #"{"room_id":"\#(room)","servers":["here.example"]}"#)
            #expect(try await server.ask(.get, "rooms/\(room)/aliases").text == ##"{"aliases":["#tea:here.example"]}"##)
            #expect(try await server.ask(.get, "rooms/\(room)/aliases", as: "eve").code == "M_FORBIDDEN")
            #expect(try await server.ask(.delete, alias, as: "bob").code == "M_FORBIDDEN")
            let named = try JSON(parsing: ##"{"alias":"#tea:here.example","x":1}"##)
            _ = try await server.rooms.setState(.canonicalAlias, key: "", content: named, in: room, by: alice)
            #expect(try await server.ask(.delete, alias).text == "{}")
            let number = try await server.rooms.number(of: room)
            let canonical = try await server.rooms.view(number).event(StateKey(.canonicalAlias))
            #expect(canonical?.event.content.value == ["x": 1])

            let list = "directory/list/room/\(room)"
            #expect(try await server.ask(.get, list, as: nil).text == #"{"visibility":"private"}"#)
            #expect(try await server.ask(.put, list, #"{"visibility":"public"}"#, as: "bob").code == "M_FORBIDDEN")
            #expect(try await server.ask(.put, list, #"{"visibility":"public"}"#).text == "{}")
            #expect(try await server.ask(.get, list, as: nil).text == #"{"visibility":"public"}"#)

            #expect(try await server.ask(.get, "publicRooms", as: nil).code == "M_MISSING_TOKEN")
            let wanted =
                #"{"chunk":[{"room_id":"\#(room)","name":"Tea","join_rule":"public","world_readable":false,"#
                + #""guest_can_join":false,"num_joined_members":2}],"total_room_count_estimate":1}"#
            #expect(try await server.ask(.get, "publicRooms").text == wanted)
            #expect(
                try await server.ask(.post, "publicRooms", #"{"filter":{"generic_search_term":"tea"}}"#).text == wanted)
            let coffee = try await server.ask(.post, "publicRooms", #"{"filter":{"generic_search_term":"coffee"}}"#)
            #expect(coffee.body["chunk"]?.count == 0)
            let spaces = try await server.ask(.post, "publicRooms", #"{"filter":{"room_types":["m.space"]}}"#)
            #expect(spaces.body["chunk"]?.count == 0)
            #expect(try await server.ask(.get, "publicRooms?since=x").code == "M_INVALID_PARAM")
            #expect(try await server.ask(.get, "publicRooms?server=else.example").code == "M_NOT_FOUND")
        }
    }
}
