import Matrix
import RoomEngine
import Testing

@Suite struct AdmissionTests {
    /// A room as a server knows it: its state's events, and some that were rejected.
    struct Known {
        let room: RoomFixture
        let create: Event
        var accepted: [EventID: Event] = [:]
        var rejected: [EventID: Event] = [:]

        init(_ version: RoomVersion) {
            room = RoomFixture(version)
            create = room.create()
            for event in [
                create, room.member(Who.alice, "join"), room.member(Who.bob, "join"), room.joinRules("public"),
                room.powerLevels(["users": version.privilegedCreators ? [Who.bob: 50] : [Who.alice: 100, Who.bob: 50]]),
            ] {
                accepted[event.eventID] = event
            }
        }

        func lookup(_ id: EventID) -> KnownEvent? {
            accepted[id].map { .accepted($0) } ?? rejected[id].map { .rejected($0) }
        }

        /// The names by which an event's auth events are listed.
        func auth(_ names: String...) -> [String] {
            let all = names + (room.version.createInAuthEvents ? ["create"] : [])
            return all.compactMap { name in
                (Array(accepted.keys) + Array(rejected.keys)).map(\.string).first {
                    $0.dropFirst().split(separator: ":").first.map(String.init) == name
                }
                .map { String($0.dropFirst()) } ?? name
            }
        }

        func topic(auth names: [String], by sender: String = Who.bob) -> Event {
            room.event("topic", .topic, by: sender, key: "", auth: names)
        }
    }

    func verdict(_ event: Event, _ known: Known, before: EventListState? = nil, now: EventListState? = nil) -> Verdict {
        let state = EventListState(known.accepted.values, creation: RoomCreation(known.create))
        return Admission.verdict(
            on: event, known: known.lookup, stateBefore: before ?? state, currentState: now ?? state)
    }

    @Test(arguments: RoomVersion.all)
    func allThreeChecksPass(version: RoomVersion) {
        let known = Known(version)
        #expect(verdict(known.topic(auth: known.auth("levels", "member-bob")), known) == .accepted)
        #expect(verdict(known.create, known) == .accepted)
    }

    @Test(arguments: RoomVersion.all)
    func unknownAuthEventsAreAskedFor(version: RoomVersion) throws {
        var known = Known(version)
        let topic = known.topic(auth: known.auth("levels", "member-bob"))
        let levels = try #require(known.accepted.values.first { $0.type == .powerLevels })
        known.accepted[levels.eventID] = nil
        #expect(verdict(topic, known) == .needs([levels.eventID]))
        known.accepted[known.create.eventID] = nil
        guard case .needs(let missing) = verdict(topic, known) else {
            Issue.record("decided without the creation event")
            return
        }
        #expect(Set(missing) == [levels.eventID, known.create.eventID])
    }

    @Test(arguments: RoomVersion.all)
    func authEventsDecideFirst(version: RoomVersion) throws {
        var known = Known(version)
        // Bob's membership is not listed: by his auth events he is no member, whatever the states say.
        #expect(verdict(known.topic(auth: known.auth("levels")), known) == .rejected(.senderNotJoined))
        let bob = try #require(known.accepted.values.first { $0.stateKey == ExactString(Who.bob) })
        known.accepted[bob.eventID] = nil
        known.rejected[bob.eventID] = bob
        #expect(
            verdict(known.topic(auth: known.auth("levels", "member-bob")), known)
                == .rejected(.rejectedAuthEvent(bob.eventID)))
    }

    @Test func rejectedCreationRejectsAll() {
        var known = Known(.v12)
        known.accepted[known.create.eventID] = nil
        known.rejected[known.create.eventID] = known.create
        #expect(
            verdict(known.topic(auth: known.auth("levels", "member-bob")), known)
                == .rejected(.roomIDNotFromCreateEvent))
    }

    @Test(arguments: RoomVersion.all)
    func stateBeforeRejectsAndCurrentStateSoftFails(version: RoomVersion) {
        let known = Known(version)
        let topic = known.topic(auth: known.auth("levels", "member-bob"))
        let banned = EventListState(
            Array(known.accepted.values) + [known.room.member(Who.bob, "ban", by: Who.alice, id: "ban")],
            creation: RoomCreation(known.create))
        #expect(verdict(topic, known, before: banned) == .rejected(.senderNotJoined))
        #expect(verdict(topic, known, now: banned) == .softFailed(.senderNotJoined))
        #expect(
            Admission.verdict(
                on: topic, known: known.lookup,
                stateBefore: EventListState(known.accepted.values, creation: RoomCreation(known.create)),
                currentState: nil) == .accepted)
    }

    @Test func missingPrevEvents() throws {
        let event = RoomFixture(.v11).event("e", .message, by: Who.alice, prev: ["a", "b"])
        let (a, b) = (try #require(EventID("$a")), try #require(EventID("$b")))
        #expect(Admission.missingPrevEvents(of: event) { $0 == a } == [b])
        #expect(Admission.missingPrevEvents(of: event) { _ in true } == [])
    }
}
