import Collections
import Database
import Matrix

/// A room's state: for every type and state key the event that says what it is. Copies share what they have in common.
public typealias StateMap = TreeDictionary<StateKeyNumber, EventNumber>

/// Stands for a state as it is stored.
public struct StateNumber: Number, SQLBindable {
    /// The number.
    public let rawValue: Int64
    /// The state of that number.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Where a stored state stands in the line of states it continues.
///
/// States are deltas. The state at place *k* is stored as what changed since the one at *k* with its lowest bit cleared, so that
/// a chain is never longer than *k* has bits set, and a change is written log₂(*k*)/2 times on average. No full copies are needed.
public struct StateChain: Sendable, Hashable {
    /// One state of a chain.
    public struct Link: Sendable, Hashable {
        /// The state.
        public let number: StateNumber
        /// Its place in its line.
        public let place: Int64
    }

    /// The state itself first, then its parent, its parent's parent, and so on.
    public let links: [Link]

    /// The state that this is the chain of.
    public var number: StateNumber { links[0].number }
    /// Its place in its line.
    public var place: Int64 { links[0].place }

    /// The parent that a state directly after this one has, and the states between whose changes its delta repeats.
    func parentOfNext() -> (parent: ArraySlice<Link>, repeated: ArraySlice<Link>) {
        let next = place + 1
        let parentPlace = next & (next - 1)
        let split = links.firstIndex { $0.place <= parentPlace } ?? links.endIndex
        return (links[split...], links[..<split])
    }
}

/// Keeps states in memory, within a budget of bytes.
public final class StateCache: Sendable {
    private let maps: GenerationalCache<StateNumber, StateMap>

    init(byteBudget: Int) { maps = GenerationalCache(budget: byteBudget) }

    /// The state of that number, if it is in memory.
    public subscript(_ number: StateNumber) -> StateMap? { maps[number] }

    /// Keeps a state that is durable. States share most of their memory: what one costs is estimated by what it adds.
    func insert(_ number: StateNumber, _ map: StateMap) { maps.insert(number, map, cost: 512 + map.count) }
}

/// Look-ups of stored states.
public struct StateReader {
    let sql: ReadTransaction
    let cache: StateCache

    /// The state of that number.
    public func map(_ number: StateNumber) throws -> StateMap {
        if let map = cache[number] { return map }
        var map = StateMap()
        var missing: [StateNumber] = []
        for link in try chain(number).links {
            if let known = cache[link.number] {
                map = known
                break
            }
            missing.append(link.number)
        }
        for number in missing.reversed() {
            try sql.forEach("SELECT state_key_num, event_num FROM state_entries WHERE state = $1", number) { row in
                map[try row.number(0)] = try row.numberOrNil(1, as: EventNumber.self)
            }
        }
        if !(sql is WriteTransaction) { cache.insert(number, map) }
        return map
    }

    /// The chain of stored deltas that a state is made of.
    public func chain(_ number: StateNumber) throws -> StateChain {
        let links = try sql.all(
            """
            WITH RECURSIVE chain (num, parent, place) AS (
                SELECT num, parent, place FROM states WHERE num = $1
                UNION ALL
                SELECT states.num, states.parent, states.place FROM states JOIN chain ON states.num = chain.parent
            )
            SELECT num, place FROM chain ORDER BY place DESC
            """, number
        ) { StateChain.Link(number: try $0.number(0), place: try $0.int(1)) }
        guard !links.isEmpty else { throw StoreError.inconsistent("no state \(number)") }
        return StateChain(links: links)
    }
}

/// Stores states.
public struct StateWriter {
    let writer: StoreWriter

    /// Stores a state that no other precedes.
    public func insertFirst(room: RoomNumber, _ map: StateMap) throws -> StateChain {
        let number = StateNumber(try writer.next("state"))
        try insertRow(number, room: room, parent: nil, place: 0)
        try insertEntries(number, map.map { ($0.key, $0.value) })
        remember(number, map)
        return StateChain(links: [.init(number: number, place: 0)])
    }

    /// Stores the state that follows another.
    ///
    /// - Parameters:
    ///   - previous: The chain of the state before.
    ///   - changes: What is different; `nil` where a key has no event any more.
    ///   - map: The whole new state, for the cache.
    public func insert(
        room: RoomNumber, after previous: StateChain, changes: [StateKeyNumber: EventNumber?], map: StateMap
    ) throws -> StateChain {
        let number = StateNumber(try writer.next("state"))
        let place = previous.place + 1
        let (parent, repeated) = previous.parentOfNext()
        guard let parentLink = parent.first else {
            throw StoreError.inconsistent("state \(previous.number) has no root")
        }
        var delta: [StateKeyNumber: EventNumber?] = [:]
        for link in repeated.reversed() {
            try writer.sql.forEach(
                "SELECT state_key_num, event_num FROM state_entries WHERE state = $1", link.number
            ) { row in delta.updateValue(try row.numberOrNil(1), forKey: try row.number(0)) }
        }
        for (key, event) in changes { delta.updateValue(event, forKey: key) }
        try insertRow(number, room: room, parent: parentLink.number, place: place)
        try insertEntries(number, delta.map { ($0.key, $0.value) })
        remember(number, map)
        return StateChain(links: [.init(number: number, place: place)] + parent)
    }

    /// Counts `count` more records that point to a state.
    public func retain(_ number: StateNumber, count: Int) throws {
        try writer.sql.execute("UPDATE states SET refs = refs + $1 WHERE num = $2", count, number)
    }

    /// Counts `count` fewer records that point to a state; one that nothing points to any more goes, and so do its parents.
    public func release(_ number: StateNumber, count: Int) throws {
        var next: StateNumber? = number
        var less = count
        while let state = next {
            next = nil
            let row = try writer.sql.first(
                "UPDATE states SET refs = refs - $1 WHERE num = $2 RETURNING refs, parent", less, state
            ) { (refs: try $0.int(0), parent: try $0.numberOrNil(1, as: StateNumber.self)) }
            guard let row, row.refs <= 0 else { continue }
            try writer.sql.execute("DELETE FROM state_entries WHERE state = $1", state)
            try writer.sql.execute("DELETE FROM states WHERE num = $1", state)
            next = row.parent
            less = 1
        }
    }

    private func insertRow(_ number: StateNumber, room: RoomNumber, parent: StateNumber?, place: Int64) throws {
        try writer.sql.execute(
            "INSERT INTO states (num, room_num, parent, place) VALUES ($1, $2, $3, $4)", number, room, parent, place
        )
        if let parent { try retain(parent, count: 1) }
    }

    private func insertEntries(_ number: StateNumber, _ entries: [(StateKeyNumber, EventNumber?)]) throws {
        for (key, event) in entries {
            try writer.sql.execute(
                "INSERT INTO state_entries (state, state_key_num, event_num) VALUES ($1, $2, $3)", number, key, event
            )
        }
    }

    private func remember(_ number: StateNumber, _ map: StateMap) {
        let cache = writer.store.stateCache
        writer.sql.onCommit { cache.insert(number, map) }
    }
}

extension StoreReader {
    /// Stored states.
    public var states: StateReader { StateReader(sql: sql, cache: store.stateCache) }
}

extension StoreWriter {
    /// Stored states.
    public var states: StateWriter { StateWriter(writer: self) }
}

extension Store {
    /// The state of that number.
    public func state(_ number: StateNumber) async throws -> StateMap {
        if let map = stateCache[number] { return map }
        return try await read { try $0.states.map(number) }
    }
}
