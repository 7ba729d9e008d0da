import Matrix
import RoomEngine
import Store

/// What administrators see of rooms: everything that is stored, whoever might see it.
extension RoomService {
    /// Every event of a room's current state.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func inspectedState(of room: RoomID) async throws -> [StoredEvent] {
        let view = try await view(try await number(of: room))
        return try await view.allEvents().sorted { $0.number < $1.number }
    }

    /// A page of a room's history, of what is here.
    ///
    /// - Parameters:
    ///   - room: The room.
    ///   - from: Where to begin; at the end of the timeline (or its beginning, going forward) if `nil`.
    ///   - to: Where to stop.
    ///   - backward: Toward the past.
    ///   - limit: How many events, before the filter.
    ///   - filter: Which ones.
    /// - Throws: 404 `M_NOT_FOUND`.
    public func inspectedMessages(
        _ room: RoomID, from: SyncToken?, to: SyncToken?, backward: Bool, limit: Int, filter: RoomEventFilter
    ) async throws -> HistoryPage {
        let number = try await number(of: room)
        let end = store.journal.end
        let start = from ?? SyncToken(backward ? end : StreamPosition(.min))
        let limit = min(max(limit, 1), 1_000)
        let (after, through) =
            backward
            ? (to?.position ?? StreamPosition(.min), min(start.position, end))
            : (start.position, min(to?.position ?? end, end))
        let page = try await store.read {
            try $0.events.timeline(number, after: after, through: through, limit: limit, newestFirst: backward)
        }
        var next: SyncToken?
        if page.count == limit, let last = page.last?.position {
            next = SyncToken(backward ? StreamPosition(last.rawValue - 1) : last)
        }
        return HistoryPage(
            events: page.filter { Self.isShown($0, filter, room) }, start: start, end: next, state: [])
    }

    /// An event and what surrounds it.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func inspectedContext(
        of id: EventID, in room: RoomID, limit: Int, filter: RoomEventFilter
    ) async throws -> EventContext {
        let number = try await number(of: room)
        guard let event = try await store.event(id), event.room == number, let position = event.position else {
            throw MatrixError.notFound("There is no such event in the timeline of this room")
        }
        let count = min(max(limit, 0), 100)
        let end = store.journal.end
        let (before, after) = try await store.read { reader in
            (
                try reader.events.timeline(
                    number, after: StreamPosition(.min), through: StreamPosition(position.rawValue - 1),
                    limit: count / 2, newestFirst: true),
                try reader.events.timeline(
                    number, after: position, through: end, limit: count - count / 2, newestFirst: false)
            )
        }
        var state: [StoredEvent] = []
        if let map = (after.last ?? event).timelineState {
            state = try await store.events(try await store.state(map).map(\.value)).values.sorted {
                $0.number < $1.number
            }
        }
        let start = before.last?.position ?? position
        return EventContext(
            event: event, before: before.filter { Self.isShown($0, filter, room) },
            after: after.filter { Self.isShown($0, filter, room) },
            start: SyncToken(StreamPosition(start.rawValue - 1)), end: SyncToken(after.last?.position ?? position),
            state: state)
    }

    /// Files that a room's events name without encrypting that, in the order in which they came.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func media(in room: RoomID) async throws -> [MediaReference] {
        let number = try await number(of: room)
        let end = store.journal.end
        var after = StreamPosition(.min)
        var found: [MediaReference] = []
        var seen: Set<MediaReference> = []
        while true {
            let page = try await store.read { [after] in
                try $0.events.timeline(number, after: after, through: end, limit: 500, newestFirst: false)
            }
            for event in page {
                let content = event.event.content
                for url in [content["url"], content["info"]?["thumbnail_url"], content["avatar_url"]] {
                    if let file = url?.string.flatMap({ MediaReference(uri: $0) }), seen.insert(file).inserted {
                        found.append(file)
                    }
                }
            }
            guard page.count == 500, let last = page.last?.position else { return found }
            after = last
        }
    }

    private static func isShown(_ event: StoredEvent, _ filter: RoomEventFilter, _ room: RoomID) -> Bool {
        event.status == .accepted
            && filter.allows(
                type: event.event.type, sender: event.event.sender, room: room, content: event.event.content)
    }
}
