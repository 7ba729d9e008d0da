import Homeserver
import Logging
import Matrix
import Store
import Testing

/// Long work that administrators ask for, on both engines.
@Suite struct JobTests {
    private func service(_ fixture: UserDataFixture) -> JobService {
        JobService(
            store: fixture.store, clock: fixture.clock, randomness: UserDataFixture.CountingRandomness(),
            workers: [
                RoomDeletions(
                    rooms: fixture.rooms, randomness: UserDataFixture.CountingRandomness(), graceMilliseconds: 1,
                    breathMilliseconds: 1),
                HistoryPurges(rooms: fixture.rooms, breathMilliseconds: 1), UserRedactions(rooms: fixture.rooms),
            ], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func delete(
        _ jobs: JobService, _ room: RoomID, _ options: RoomDeletions.Options
    ) async throws -> String {
        try await jobs.ask(
            .roomDeletion, about: room.string, input: options.json, result: RoomDeletions.nothing, alongside: { _ in })
    }

    @Test func aRoomIsEmptiedAndRemoved() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let (alice, bob) = (try await fixture.user("alice"), try await fixture.user("bob"))
            let (gone, other) = (try await fixture.room(alice, [bob]), try await fixture.room(bob, [alice]))
            let said = try await fixture.send("to be forgotten", to: gone, by: alice)
            let kept = try await fixture.send("to be kept", to: other, by: bob)
            try await fixture.receipts.set(.read, event: said, of: bob.id, in: gone)
            let number = try #require(try await fixture.store.number(of: gone))
            _ = try await fixture.counts(bob, gone)

            let jobs = service(fixture)
            // Nothing is done before the server is ready; then what waits is done.
            let id = try await delete(jobs, gone, .init(isPurged: true))
            #expect(try await errorCode { _ = try await delete(jobs, gone, .init(isPurged: true)) } == .unknown)
            #expect(try await jobs.job(id)?.status == .scheduled)
            await jobs.start()
            let job = try await jobs.end(of: id)
            #expect(job.status == .complete, "\(job.error ?? "")")
            let left = Set(job.result["kicked_users"]?.elements.compactMap(\.string) ?? [])
            #expect(left == [alice.id.string, bob.id.string])
            let events = try #require(job.result["events"]?.int)
            #expect(events > 6 && job.result["removed_events"]?.int == events)

            #expect(try await fixture.store.number(of: gone) == nil)
            #expect(try await fixture.store.event(said) == nil)
            #expect(try await errorCode { _ = try await fixture.rooms.number(of: gone) } == .notFound)
            #expect(try await errorCode { _ = try await fixture.rooms.view(number) } == .notFound)
            #expect(try await fixture.rooms.joinedRooms(of: bob) == [other])
            #expect(try await fixture.store.event(kept)?.event.content["body"]?.string == "to be kept")
            _ = try await fixture.send("still here", to: other, by: alice)
            // Once it is done it can be asked for again; there is nothing left to do.
            let again = try await jobs.end(of: try await delete(jobs, gone, .init(isPurged: true)))
            #expect(again.status == .complete)
            #expect(try await jobs.jobs(.roomDeletion, about: gone.string).map(\.id) == [id, again.id])
            await jobs.stop()
        }
    }

    @Test func workGoesOnAfterAStop() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let room = try await fixture.room(alice)
            for number in 0..<250 { try await fixture.send("\(number)", to: room, by: alice) }
            let first = service(fixture)
            let id = try await delete(first, room, .init(isPurged: true))
            await first.start()
            // As soon as the room is known no more.
            while try await fixture.store.read({ try $0.roomPurges.purge(of: room) })?.removed ?? 0 == 0 {
                try await Task.sleep(for: .milliseconds(1))
            }
            await first.stop()
            let half = try #require(try await fixture.store.read { try $0.roomPurges.purge(of: room) })
            #expect(half.removed > 0)
            #expect(try await first.job(id)?.status == .active)
            await #expect(throws: MatrixError.self) { try await first.end(of: id) }

            let second = service(fixture)
            await second.start()
            let job = try await second.end(of: id)
            #expect(job.status == .complete && job.result["kicked_users"]?.count == 1)
            #expect(try await fixture.store.read { try $0.roomPurges.purge(of: room) } == nil)
            await second.stop()
        }
    }

    @Test func historyIsRemovedUpToAMoment() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let (room, other) = (try await fixture.room(alice), try await fixture.room(alice))
            var said: [EventID] = []
            for number in 0..<120 { said.append(try await fixture.send("\(number)", to: room, by: alice)) }
            let elsewhere = try await fixture.send("elsewhere", to: other, by: alice)
            let jobs = service(fixture)
            await jobs.start()
            let worker = HistoryPurges(rooms: fixture.rooms)
            func purge(_ moment: HistoryPurges.Moment, local: Bool) async throws -> Int64? {
                let input = try await worker.input(room, upTo: moment, includesLocal: local)
                let id = try await jobs.ask(
                    .historyPurge, about: room.string, input: input, result: [:], alongside: { _ in })
                return try await jobs.end(of: id).result["removed_events"]?.int
            }
            let number = try await fixture.rooms.number(of: room)
            let beginning = try #require(try await fixture.rooms.view(number).event(StateKey(.create))).number
            // What users of this server have said is kept unless it is asked for, but is in the timeline no more; and so is state.
            let first = try #require(try await purge(.event(said[100]), local: false))
            #expect(first > 100)
            var texts = try await fixture.store.events(said + [said[100]])
            #expect(texts[said[99]]?.event.content["body"]?.string == "99" && texts[said[99]]?.position == nil)
            #expect(texts[said[100]]?.isInGraph == true)
            let head = try await fixture.rooms.view(number).head
            let create = try #require(try await fixture.store.event(beginning))
            #expect(create.status == .outlier && !create.isInGraph && head.state.count > 3)
            #expect(try await fixture.rooms.stateEvent(StateKey(.create), in: room, by: alice).number == beginning)
            // What is missing is asked for where it begins, and nowhere else.
            #expect(try await fixture.store.read { try $0.graph.backwardExtremities(of: number) } == [said[99]])
            let timeline = try await fixture.store.read {
                try $0.events.timeline(
                    number, after: StreamPosition(.min), through: StreamPosition(.max), limit: 200, newestFirst: false)
            }
            #expect(timeline.map(\.event.eventID) == Array(said[100...]))
            // Neither the stored journal nor its tail names them any more.
            let end = fixture.store.journal.end
            let announced = try await fixture.store.read {
                try $0.journal.events(in: [number], after: StreamPosition(0), before: end, limit: 500)
            }
            #expect(announced == timeline.reversed().map(\.number))
            for entry in fixture.store.journal.entries(after: StreamPosition(0), through: end) ?? [] {
                guard case .event(let event, _) = entry.change, event.room == number else { continue }
                #expect(event.isInGraph)
            }
            #expect(try await purge(.event(said[100]), local: false) == 0)
            // What was kept goes when it is asked for later.
            #expect(try await purge(.event(said[100]), local: true) == 100)
            texts = try await fixture.store.events(said)
            #expect(texts[said[99]] == nil && texts[said[100]]?.event.content["body"]?.string == "100")
            // The last event stays, whatever is asked for; and the room goes on.
            #expect(try await purge(.time(.max), local: true) == 19)
            #expect(try await fixture.store.event(said[119])?.position != nil)
            let page = try await fixture.rooms.messages(
                room, from: nil, to: nil, backward: true, limit: 10, filter: try RoomEventFilter(parsing: "{}"),
                by: alice)
            #expect(page.events.map(\.event.eventID) == [said[119]])
            let last = try await fixture.send("goes on", to: room, by: alice)
            #expect(try await fixture.store.event(last)?.event.prevEvents == [said[119]])
            #expect(try await errorCode { _ = try await purge(.event(elsewhere), local: true) } == .unknown)
            let unknown = try #require(EventID("$unknown"))
            #expect(try await errorCode { _ = try await purge(.event(unknown), local: true) } == .notFound)
            await jobs.stop()
        }
    }

    @Test func whatIsKeptOfPurgedHistoryIsNotKeptForever() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let alice = try await fixture.user("alice")
            let room = try await fixture.room(alice)
            let (first, last) = (
                try await fixture.send("kept", to: room, by: alice), try await fixture.send("last", to: room, by: alice)
            )
            let jobs = service(fixture)
            await jobs.start()
            let input = try await HistoryPurges(rooms: fixture.rooms).input(
                room, upTo: .event(last), includesLocal: false)
            let id = try await jobs.ask(
                .historyPurge, about: room.string, input: input, result: [:], alongside: { _ in })
            #expect(try await jobs.end(of: id).status == .complete)
            await jobs.stop()
            fixture.store.lifetimes.enforce(RetentionPolicy(standard: 60_000))
            let retention = RetentionPurge(
                store: fixture.store, intervalMilliseconds: 1_000,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            #expect(try await retention.purge() == 0)
            #expect(try await fixture.store.event(first)?.event.content["body"]?.string == "kept")
            fixture.clock.advance(120_000)
            #expect(try await retention.purge() == 1)
            #expect(try await fixture.store.event(first) == nil)
            #expect(try await fixture.store.event(last) != nil)
        }
    }

    @Test func whatAUserHasSaidIsRedacted() async throws {
        try await UserDataFixture.onEachEngine { fixture in
            let (alice, bob) = (try await fixture.user("alice"), try await fixture.user("bob"))
            let (first, second) = (try await fixture.room(alice, [bob]), try await fixture.room(bob, [alice]))
            var said: [EventID] = []
            for number in 0..<5 { said.append(try await fixture.send("\(number)", to: first, by: bob)) }
            let others = try await fixture.send("not his", to: first, by: alice)
            let own = try await fixture.send("in his own room", to: second, by: bob)
            let jobs = service(fixture)
            await jobs.start()
            let worker = UserRedactions(rooms: fixture.rooms)
            func redact(_ wish: UserRedactions.Wish) async throws -> JobRecord {
                let input = try await worker.input(wish, of: bob.id)
                let id = try await jobs.ask(
                    .userRedaction, about: bob.id.string, input: input, result: UserRedactions.nothing,
                    alongside: { _ in })
                return try await jobs.end(of: id)
            }
            func isRedacted(_ event: EventID) async throws -> Bool {
                try await fixture.store.event(event)?.redactedBy != nil
            }
            var wish = UserRedactions.Wish(
                rooms: [first], redactor: nil, reason: "spam", limit: 2, after: nil, before: nil)
            var job = try await redact(wish)
            #expect(job.status == .complete && job.result["redacted"]?.int == 2)
            #expect(try await isRedacted(said[4]))
            #expect(try await isRedacted(said[3]))
            #expect(try await !isRedacted(said[2]))
            let redaction = try #require(try await fixture.store.event(said[4])?.redactedBy)
            let event = try await fixture.store.event(redaction)?.event
            #expect(event?.sender == bob.id && event?.content["reason"]?.string == "spam")

            // Who may not redact what others have said fails, and that is told.
            let carol = try await fixture.user("carol")
            wish.redactor = carol.id
            wish.limit = 3
            job = try await redact(wish)
            #expect(job.status == .complete && job.result["redacted"]?.int == 0)
            #expect(job.result["failed_redactions"]?.count == 1)
            // Everywhere, by themselves.
            wish = UserRedactions.Wish(rooms: [], redactor: nil, reason: nil, limit: 1_000, after: nil, before: nil)
            job = try await redact(wish)
            #expect(job.result["failed_redactions"]?.count == 0)
            for event in said + [own] { #expect(try await isRedacted(event)) }
            #expect(try await !isRedacted(others))
            await jobs.stop()
        }
    }
}
