import FederationWire
import Matrix
import Testing

@Suite struct RequestTests {
    private static let room = RoomID(trusted: "!a/b c:x.example")
    private static let server = ServerName(trusted: "x.example")

    private func user(_ name: String = "@a:x.example") throws -> UserID { try #require(UserID(name)) }
    private func event(_ version: RoomVersion = .v10) throws -> Event {
        let text = """
            {"room_id":"!r:x.example","type":"m.room.member","state_key":"@a:x.example","sender":"@a:x.example",\
            "content":{"membership":"join"},"origin_server_ts":1,"depth":1,"prev_events":[],"auth_events":[],\
            "hashes":{"sha256":"aaaa"},"signatures":{},"unsigned":{"age":1}\
            \(version.eventIDIsHash ? "" : #","event_id":"$e:x.example""#)}
            """
        return try Event(parsing: Array(text.utf8), version: version)
    }

    @Test func targetsAreEscapedOnce() throws {
        let join = MakeMembershipRequest(
            .join, of: try user("@é/?:x.example"), in: Self.room, versions: ["1", "org.x y"])
        #expect(
            join.target.description
                == "/_matrix/federation/v1/make_join/%21a%2Fb%20c%3Ax.example/%40%C3%A9%2F%3F%3Ax.example"
                + "?ver=1&ver=org.x%20y")
        #expect(
            MakeMembershipRequest(.leave, of: try user(), in: Self.room, versions: ["1"]).target.description
                == "/_matrix/federation/v1/make_leave/%21a%2Fb%20c%3Ax.example/%40a%3Ax.example")
        #expect(
            BackfillRequest(Self.room, from: [EventID(trusted: "$a+/"), EventID(trusted: "$b")], limit: 5).target
                .description == "/_matrix/federation/v1/backfill/%21a%2Fb%20c%3Ax.example?v=%24a%2B%2F&v=%24b&limit=5")
        #expect(
            ProfileRequest(of: try user(), field: nil).target.description
                == "/_matrix/federation/v1/query/profile?user_id=%40a%3Ax.example")
        #expect(
            SendJoinRequest(try event(), omitsMembers: true).target.description
                .hasPrefix("/_matrix/federation/v2/send_join/%21r%3Ax.example/%24"))
        #expect(SendJoinRequest(try event(), omitsMembers: true).target.description.hasSuffix("?omit_members=true"))
        #expect(ServerKeysRequest().target.description == "/_matrix/key/v2/server")
        #expect(!ServerKeysRequest().isSigned)
        #expect(
            MediaTargets.federation(
                MediaID(trusted: "abc"), .thumbnail(width: 1, height: 2, method: "crop", isAnimated: true),
                timeoutMilliseconds: 5
            ).description
                == "/_matrix/federation/v1/media/thumbnail/abc?width=1&height=2&method=crop&animated=true&timeout_ms=5")
        #expect(
            MediaTargets.legacy(
                MediaReference(server: ServerName(trusted: "[::1]:80"), id: MediaID(trusted: "abc")), .file,
                timeoutMilliseconds: 5
            ).description
                == "/_matrix/media/v3/download/%5B%3A%3A1%5D%3A80/abc?allow_remote=false&allow_redirect=true&timeout_ms=5"
        )
    }

    @Test func joinsAreRead() throws {
        let request = SendJoinRequest(try event(), omitsMembers: false)
        let answer = try request.decode(
            try JSON(
                parsing: """
                    {"state":[{"a":1},5,{"b":"é"}],"auth_chain":[],"members_omitted":true,
                    "servers_in_room":["x.example","no name!",7]}
                    """))
        #expect(answer.state.map { String(decoding: $0, as: UTF8.self) } == [#"{"a":1}"#, #"{"b":"é"}"#])
        #expect(answer.authChain.isEmpty && answer.event == nil && answer.membersOmitted)
        #expect(answer.servers == [Self.server])
        let old = SendJoinRequest(try event(), omitsMembers: true, usesVersion1: true)
        #expect(old.target.description.hasPrefix("/_matrix/federation/v1/send_join/"))
        #expect(try old.decode(try JSON(parsing: #"[200,{"state":[],"auth_chain":[{}]}]"#)).authChain.count == 1)
        for text in ["[]", "[200]", "{}", #"[200,5]"#] {
            #expect(throws: MalformedAnswer.self) { try old.decode(try JSON(parsing: text)) }
        }
        for text in ["{}", #"{"state":{},"auth_chain":[]}"#, #"{"state":[],"auth_chain":[],"servers_in_room":5}"#] {
            #expect(throws: MalformedAnswer.self) { try request.decode(try JSON(parsing: text)) }
        }
    }

    @Test func invitesHaveTwoForms() throws {
        let state = [Array(#"{"type":"m.room.create"}"#.utf8)]
        let new = InviteRequest(try event(), strippedState: state)
        let body = try JSON(parsing: try #require(new.body))
        #expect(body["room_version"]?.string == "10")
        #expect(body["event"]?["unsigned"]?["age"]?.int == 1)
        #expect(body["invite_room_state"]?.count == 1)
        let old = InviteRequest(try event(.v2), strippedState: state, usesVersion1: true)
        let oldBody = try JSON(parsing: try #require(old.body))
        #expect(oldBody["unsigned"]?["invite_room_state"]?.count == 1)
        #expect(oldBody["event_id"]?.string == "$e:x.example")
        #expect(oldBody["unsigned"]?["age"] == nil)
        #expect(old.target.description == "/_matrix/federation/v1/invite/%21r%3Ax.example/%24e%3Ax.example")
        #expect(try old.decode(try JSON(parsing: #"[200,{"event":{"a":1}}]"#)) == Array(#"{"a":1}"#.utf8))
        #expect(try new.decode(try JSON(parsing: #"{"event":{"a":1}}"#)) == Array(#"{"a":1}"#.utf8))
    }

    @Test func listsAreBounded() throws {
        let request = MissingEventsRequest(in: Self.room, before: [], after: [], limit: 2, minimumDepth: 0)
        #expect(try request.decode(try JSON(parsing: #"{"events":[{},{},{},{}]}"#)).count == 4)
        #expect(throws: MalformedAnswer.self) { try request.decode(try JSON(parsing: #"{"events":[{},{},{},{},{}]}"#)) }
        let large = String(repeating: "x", count: 300_000)
        #expect(try request.decode(try JSON(parsing: "{\"events\":[{\"a\":\"\(large)\"},{}]}")).count == 1)
        #expect(throws: MalformedAnswer.self) {
            try GetEventRequest(EventID(trusted: "$a")).decode(try JSON(parsing: #"{"pdus":[{},{}]}"#))
        }
    }

    @Test func answersAboutOthersAreRefused() throws {
        let devices = UserDevicesRequest(try user())
        _ = try devices.decode(try JSON(parsing: #"{"user_id":"@a:x.example","stream_id":1,"devices":[]}"#))
        for text in [
            #"{"user_id":"@b:x.example","stream_id":1,"devices":[]}"#, #"{"user_id":"@a:x.example","devices":[]}"#,
            #"{"user_id":"@a:x.example","stream_id":1}"#,
        ] {
            #expect(throws: MalformedAnswer.self) { try devices.decode(try JSON(parsing: text)) }
        }
        let openID = OpenIDUserRequest(accessToken: "t", at: Self.server)
        #expect(try openID.decode(try JSON(parsing: #"{"sub":"@a:x.example"}"#)).string == "@a:x.example")
        #expect(throws: MalformedAnswer.self) { try openID.decode(try JSON(parsing: #"{"sub":"@a:y.example"}"#)) }
        let hierarchy = HierarchyRequest(of: RoomID(trusted: "!r:x.example"), suggestedOnly: true)
        #expect(throws: MalformedAnswer.self) {
            try hierarchy.decode(try JSON(parsing: #"{"room":{"room_id":"!s:x.example"},"children":[]}"#))
        }
    }

    @Test func whatClientsAreShownHasItsShape() throws {
        let profile = ProfileRequest(of: try user(), field: nil)
        let read = try profile.decode(
            try JSON(parsing: #"{"displayname":1,"avatar_url":"mxc://a/b","m.tz":null,"x.y":[1]}"#))
        #expect(String(decoding: read.bytes, as: UTF8.self) == #"{"avatar_url":"mxc://a/b","x.y":[1]}"#)
        #expect(throws: MalformedAnswer.self) { try profile.decode(try JSON(parsing: "[]")) }
        let good = #""room_id":"!r:x.example","num_joined_members":1,"world_readable":true,"guest_can_join":false"#
        let rooms = PublicRoomsRequest(
            limit: nil, since: nil, searchTerm: nil, roomTypes: nil, thirdPartyInstanceID: nil,
            includesAllNetworks: false)
        let page = try rooms.decode(
            try JSON(
                parsing: """
                    {"chunk":[1,{"room_id":1},{\(good),"name":5,"topic":"t"},{"room_id":"x"}],"next_batch":5,
                    "total_room_count_estimate":"x"}
                    """))
        #expect(page["chunk"]?.count == 1 && page["next_batch"] == nil && page["total_room_count_estimate"] == nil)
        let room = try #require(page["chunk"]?.elements.first { _ in true })
        #expect(room["name"] == nil && room["topic"]?.string == "t")
        let space = HierarchyRequest(of: RoomID(trusted: "!r:x.example"), suggestedOnly: false)
        let hierarchy = try space.decode(
            try JSON(parsing: #"{"room":{\#(good)},"children":[5,{\#(good)}],"inaccessible_children":[5,"!s:x"]}"#))
        #expect(hierarchy["children"]?.count == 1 && hierarchy["inaccessible_children"]?.count == 1)
    }

    @Test func directoriesAreAskedByPostOnlyWithAFilter() throws {
        func request(_ term: String?, _ types: [String?]? = nil) -> PublicRoomsRequest {
            PublicRoomsRequest(
                limit: 5, since: "a b", searchTerm: term, roomTypes: types, thirdPartyInstanceID: nil,
                includesAllNetworks: true)
        }
        #expect(request(nil).method == .get)
        #expect(request(nil).body == nil)
        #expect(
            request(nil).target.description
                == "/_matrix/federation/v1/publicRooms?limit=5&since=a%20b&include_all_networks=true")
        let post = request("x", [nil, "m.space"])
        #expect(post.method == .post)
        #expect(post.target.description == "/_matrix/federation/v1/publicRooms")
        let body = try JSON(parsing: try #require(post.body))
        #expect(body["filter"]?["generic_search_term"]?.string == "x")
        #expect(body["filter"]?["room_types"]?.elements.map(\.isNull) == [true, false])
        #expect(body["since"]?.string == "a b" && body["limit"]?.int == 5)
    }

    @Test func transactionsAnswersNameBadEvents() throws {
        let transaction = FederationTransaction(origin: Self.server, originServerTS: 1, pdus: [], edus: [])
        let request = SendTransactionRequest(transaction, id: "a/1")
        #expect(request.target.description == "/_matrix/federation/v1/send/a%2F1")
        let answer = try JSON(parsing: #"{"pdus":{"$a":{},"$b":{"error":"no"},"c":{"error":"no"}}}"#)
        #expect(try request.decode(answer) == [EventID(trusted: "$b"): "no"])
        #expect(try request.decode(try JSON(parsing: "{}")).isEmpty)
    }
}
