import Database
import Matrix
import TestSupport
import Testing

@testable import Store

/// States as deltas in chains that never grow long.
@Suite struct StateTests {
    /// Writes a line of states, each with one change, and returns what each must be.
    private func line(_ store: Store, _ length: Int) async throws -> [(StateChain, StateMap)] {
        try await store.write { writer in
            guard let id = RoomID("!room:example.org") else { return [] }
            let room = RoomNumber(1)
            try writer.rooms.insert(room, id, version: .v12)
            var map = StateMap()
            map[StateKeyNumber(0)] = EventNumber(1)
            var chain = try writer.states.insertFirst(room: room, map)
            var states = [(chain, map)]
            for step in 1..<length {
                // A few keys change over and over, some are new, and now and then one goes.
                let key = StateKeyNumber(Int64(step.isMultiple(of: 3) ? step : step % 5))
                let event = step.isMultiple(of: 11) ? nil : EventNumber(Int64(step + 1))
                map[key] = event
                chain = try writer.states.insert(room: room, after: chain, changes: [key: event], map: map)
                states.append((chain, map))
            }
            return states
        }
    }

    @Test func everyStateOfALineIsReadBackAsItWas() async throws {
        try await withEachEngine { database in
            let states = try await line(try await Store.open(database), 300)
            // Another store, whose memory is empty, reads them from the tables.
            let store = try await Store.open(database)
            for (chain, map) in states.shuffled() {
                let read = try await store.state(chain.number)
                #expect(read == map)
            }
        }
    }

    @Test func chainsAreAsLongAsPlacesHaveBits() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            for (place, state) in try await line(store, 300).enumerated() {
                #expect(state.0.links.count == place.nonzeroBitCount + 1)
                let stored = try await store.read { try $0.states.chain(state.0.number) }
                #expect(stored == state.0)
            }
        }
    }

    @Test func deltasTakeFarLessThanFullCopies() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let states = try await line(store, 512)
            let rows = try await store.read { reader in
                try reader.sql.first("SELECT COUNT(*) FROM state_entries") { Int(try $0.int(0)) } ?? 0
            }
            let full = states.reduce(0) { $0 + $1.1.count }
            #expect(rows < 512 * 10)
            #expect(rows * 5 < full)
        }
    }

    @Test func whatNothingPointsToGoes() async throws {
        try await withEachEngine { database in
            let store = try await Store.open(database)
            let states = try await line(store, 64)
            let last = try #require(states.last).0
            try await store.write { writer in
                try writer.states.retain(last.number, count: 2)
                try writer.states.release(last.number, count: 1)
            }
            let kept = try await store.read { try $0.states.chain(last.number) }
            #expect(kept == last)
            try await store.write { try $0.states.release(last.number, count: 1) }
            let gone = try await store.read { reader in
                try reader.sql.first("SELECT COUNT(*) FROM states WHERE num = $1", last.number) { try $0.int(0) }
            }
            #expect(gone == 0)
        }
    }
}
