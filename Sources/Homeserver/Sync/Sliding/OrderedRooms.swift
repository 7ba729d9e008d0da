import Matrix
import Store

/// The rooms of a list in order: the one that was last active first.
struct OrderedRooms: Sendable {
    struct Entry: Sendable, Hashable {
        let room: RoomNumber
        /// When it was last active.
        let position: StreamPosition

        /// Whether it comes first; of two as active as each other the one this server came to know first.
        func precedes(_ other: Entry) -> Bool {
            position == other.position ? room < other.room : position > other.position
        }
    }

    /// What the list lets in.
    let filter: RoomListFilter
    private(set) var entries: [Entry]

    init(_ filter: RoomListFilter, _ entries: [Entry]) {
        self.filter = filter
        self.entries = entries.sorted { $0.precedes($1) }
    }

    /// Where a room is, if it is in the list. Rooms that have just changed are near the beginning.
    func place(of room: RoomNumber) -> Int? { entries.firstIndex { $0.room == room } }

    /// Puts a room in which something has happened in its place, if it is in the list.
    mutating func touch(_ room: RoomNumber, at position: StreamPosition) {
        guard let place = place(of: room), entries[place].position < position else { return }
        entries.remove(at: place)
        let entry = Entry(room: room, position: position)
        entries.insert(entry, at: entries.firstIndex { entry.precedes($0) } ?? entries.endIndex)
    }

    /// The rooms at the places that are wanted, in order, each once.
    func window(_ ranges: [ClosedRange<Int>]?) -> [RoomNumber] {
        guard let ranges else { return entries.map(\.room) }
        var rooms: [RoomNumber] = []
        var end = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let first = max(range.lowerBound, end)
            let last = min(range.upperBound, entries.count - 1)
            guard first <= last else { continue }
            rooms += entries[first...last].map(\.room)
            end = last + 1
        }
        return rooms
    }
}
