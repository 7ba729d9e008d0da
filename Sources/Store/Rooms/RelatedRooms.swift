import Matrix
import Synchronization

/// Remembers in which rooms there are relations that are told together with the events they point to: of most rooms it is known without
/// asking the database that there are none.
public final class RelatedRooms: Sendable {
    private let known = GenerationalCache<RoomNumber, Bool>(budget: 100_000)
    /// Grows with every relation stored, so that what was read before is not remembered after.
    private let changes = Mutex<UInt64>(0)

    subscript(_ room: RoomNumber) -> Bool? { known[room] }

    var change: UInt64 { changes.withLock { $0 } }

    /// Remembers what was read at a change.
    func remember(_ room: RoomNumber, _ isRelated: Bool, at change: UInt64) {
        changes.withLock { if $0 == change { known.insert(room, isRelated) } }
    }

    /// Notes that a relation has been stored.
    func note(_ room: RoomNumber) {
        changes.withLock { changes in
            changes += 1
            known.insert(room, true)
        }
    }
}

extension Store {
    /// Those of `rooms` in which there are relations that are told together with the events they point to.
    public func roomsWithRelations(_ rooms: Set<RoomNumber>) async throws -> Set<RoomNumber> {
        var found: Set<RoomNumber> = []
        var unknown: [RoomNumber] = []
        for room in rooms {
            switch relatedRooms[room] {
            case true: found.insert(room)
            case false: continue
            default: unknown.append(room)
            }
        }
        guard !unknown.isEmpty else { return found }
        let asked = unknown
        let change = relatedRooms.change
        let related = Set(try await read { try $0.relations.rooms(among: asked) })
        for room in asked { relatedRooms.remember(room, related.contains(room), at: change) }
        return found.union(related)
    }
}
