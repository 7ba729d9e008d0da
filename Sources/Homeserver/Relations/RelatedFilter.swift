import Matrix
import Store

extension RoomEventFilter {
    /// Those of `events` that others relate to as the filter wants it: `related_by_rel_types` and `related_by_senders`.
    ///
    /// [RoomEventFilter](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridfilter_request_roomeventfilter)
    func related(_ events: [StoredEvent], store: Store) async throws -> [StoredEvent] {
        guard needsRelations, !events.isEmpty else { return events }
        let ids = events.map(\.event.eventID)
        let relations = try await store.read { reader in
            try reader.relations.relating(to: ids).map { relation in
                (
                    target: relation.target, room: relation.room,
                    relation: (type: relation.type, sender: try reader.identifiers.user(relation.sender))
                )
            }
        }
        let byTarget = Dictionary(grouping: relations, by: \.target)
        return events.filter { event in
            let own = byTarget[event.event.eventID]?.filter { $0.room == event.room } ?? []
            return allowsRelations(own.map(\.relation))
        }
    }
}
