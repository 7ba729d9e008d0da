import Matrix
import Store

/// Everything a sync response says, before it is written. What is large stays in the form it is stored in.
struct SyncResponse: Sendable {
    var next: SyncToken
    var joined: [(room: RoomID, section: SyncRoomSection)] = []
    var left: [(room: RoomID, section: SyncRoomSection)] = []
    var invited: [(room: RoomID, state: StrippedState)] = []
    var knocked: [(room: RoomID, state: StrippedState)] = []
    var accountData: [AccountDataRecord] = []
    var presence: [[UInt8]] = []
    var messages: [[UInt8]] = []
    var devicesChanged: [UserID] = []
    var devicesLeft: [UserID] = []
    var keyCounts: DeviceKeyCounts?
    /// Whether the keys' counts alone are worth an answer.
    var keyCountsChanged = false

    var isEmpty: Bool {
        joined.isEmpty && left.isEmpty && invited.isEmpty && knocked.isEmpty && accountData.isEmpty && presence.isEmpty
            && messages.isEmpty && devicesChanged.isEmpty && devicesLeft.isEmpty && !keyCountsChanged
    }

    /// Writes the response's body.
    func write(_ request: SyncRequest, store: Store, now: Int64) async throws -> [UInt8] {
        let viewer = Viewer(request.user, now: now)
        let sections = joined + left
        let events = sections.flatMap { $0.section.timeline + $0.section.state + $0.section.sticky }
        // Who has been told everything before has been told what relates to what.
        let parents = sections.flatMap { $0.section.isLimited ? $0.section.timeline : [] }
        let rendered = try await RenderedEvents(events, for: viewer, store: store, withRelationsOf: parents)
        let shape = EventShape(request.filter)
        var writer = JSONWriter(capacity: 512 + events.count * 700)
        writer.beginObject()
        writer.member("next_batch", next.text)
        Self.writeEvents("account_data", accountData, into: &writer)
        Self.writeEvents("presence", presence, into: &writer)
        if !(joined.isEmpty && left.isEmpty && invited.isEmpty && knocked.isEmpty) {
            writer.key("rooms")
            writer.beginObject()
            writeSections("join", joined, rendered, request, shape, &writer)
            writeSections("leave", left, rendered, request, shape, &writer)
            writeStripped("invite", "invite_state", invited, &writer)
            writeStripped("knock", "knock_state", knocked, &writer)
            writer.endObject()
        }
        Self.writeEvents("to_device", messages, into: &writer)
        if !devicesChanged.isEmpty || !devicesLeft.isEmpty {
            writer.key("device_lists")
            writer.beginObject()
            if !devicesChanged.isEmpty { Self.writeList("changed", devicesChanged.map(\.string), into: &writer) }
            if !devicesLeft.isEmpty { Self.writeList("left", devicesLeft.map(\.string), into: &writer) }
            writer.endObject()
        }
        if let keyCounts {
            writer.key("device_one_time_keys_count")
            writer.beginObject()
            for (algorithm, count) in keyCounts.oneTimeKeys { writer.member(algorithm, Int64(count)) }
            writer.endObject()
            Self.writeList("device_unused_fallback_key_types", keyCounts.unusedFallbackKeys, into: &writer)
        }
        writer.endObject()
        return writer.bytes
    }

    private func writeSections(
        _ name: String, _ sections: [(room: RoomID, section: SyncRoomSection)], _ rendered: RenderedEvents,
        _ request: SyncRequest, _ shape: EventShape, _ writer: inout JSONWriter
    ) {
        guard !sections.isEmpty else { return }
        writer.key(name)
        writer.beginObject()
        for (room, section) in sections {
            writer.key(room.string)
            writer.beginObject()
            writer.key("timeline")
            writer.beginObject()
            writer.key("events")
            writer.beginArray()
            for event in section.timeline {
                shape.write(event, rendered, membership: name == "join" ? .join : nil, &writer)
            }
            writer.endArray()
            writer.member("limited", section.isLimited)
            writer.member("prev_batch", section.earlier.text)
            writer.endObject()
            writer.key(request.useStateAfter ? "state_after" : "state")
            writer.beginObject()
            writer.key("events")
            writer.beginArray()
            for event in section.state { shape.write(event, rendered, membership: nil, &writer) }
            writer.endArray()
            writer.endObject()
            if !section.sticky.isEmpty {
                writer.key("msc4354_sticky")
                writer.beginObject()
                writer.key("events")
                writer.beginArray()
                for event in section.sticky { shape.write(event, rendered, membership: nil, &writer) }
                writer.endArray()
                writer.endObject()
            }
            Self.writeEvents("account_data", section.accountData, into: &writer, always: true)
            if name == "join" {
                Self.writeEvents("ephemeral", section.ephemeral, into: &writer, always: true)
                writeUnread(section, request, &writer)
                writeSummary(section.summary, &writer)
            }
            writer.endObject()
        }
        writer.endObject()
    }

    private func writeUnread(_ section: SyncRoomSection, _ request: SyncRequest, _ writer: inout JSONWriter) {
        guard let unread = section.unread else { return }
        let threaded = request.filter.room.timeline.unreadThreadNotifications
        var main = unread.main
        if !threaded {
            // A client that does not know threads sees all of them as one timeline.
            for counts in unread.threads.values {
                main.notifications += counts.notifications
                main.highlights += counts.highlights
            }
        }
        func write(_ counts: UnreadSummary.Counts) {
            writer.beginObject()
            writer.member("notification_count", Int64(counts.notifications))
            writer.member("highlight_count", Int64(counts.highlights))
            writer.endObject()
        }
        writer.key("unread_notifications")
        write(main)
        if threaded, !unread.threads.isEmpty {
            writer.key("unread_thread_notifications")
            writer.beginObject()
            for (thread, counts) in unread.threads.sorted(by: { $0.key < $1.key }) {
                writer.key(thread.string)
                write(counts)
            }
            writer.endObject()
        }
    }

    private func writeSummary(_ summary: RoomSummary?, _ writer: inout JSONWriter) {
        writer.key("summary")
        writer.beginObject()
        if let summary {
            if !summary.heroes.isEmpty { Self.writeList("m.heroes", summary.heroes.map(\.string), into: &writer) }
            writer.member("m.joined_member_count", Int64(summary.joined))
            writer.member("m.invited_member_count", Int64(summary.invited))
        }
        writer.endObject()
    }

    private func writeStripped(
        _ name: String, _ stateName: String, _ rooms: [(room: RoomID, state: StrippedState)], _ writer: inout JSONWriter
    ) {
        guard !rooms.isEmpty else { return }
        writer.key(name)
        writer.beginObject()
        for (room, state) in rooms {
            writer.key(room.string)
            writer.beginObject()
            writer.key(stateName)
            writer.beginObject()
            writer.key("events")
            writer.beginArray()
            for event in state.told { writer.write(event) }
            for event in state.events { event.event.writeStripped(into: &writer) }
            writer.endArray()
            writer.endObject()
            writer.endObject()
        }
        writer.endObject()
    }

    private static func writeEvents(
        _ name: String, _ events: [[UInt8]], into writer: inout JSONWriter, always: Bool = false
    ) {
        guard always || !events.isEmpty else { return }
        writer.key(name)
        writer.beginObject()
        writer.key("events")
        writer.beginArray()
        for event in events { writer.writeRaw(event) }
        writer.endArray()
        writer.endObject()
    }

    private static func writeEvents(
        _ name: String, _ items: [AccountDataRecord], into writer: inout JSONWriter, always: Bool = false
    ) {
        guard always || !items.isEmpty else { return }
        writer.key(name)
        writer.beginObject()
        writer.key("events")
        writer.beginArray()
        for item in items {
            writer.beginObject()
            writer.member("type", item.type)
            writer.key("content")
            writer.writeRaw(item.content)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    private static func writeList(_ name: String, _ texts: [String], into writer: inout JSONWriter) {
        writer.key(name)
        writer.beginArray()
        for text in texts { writer.write(text) }
        writer.endArray()
    }
}

/// How a client wants its events: as a filter's `event_format` and `event_fields` say.
struct EventShape: Sendable {
    private let filter: Filter

    init(_ filter: Filter) { self.filter = filter }

    func write(_ event: StoredEvent, _ rendered: RenderedEvents, membership: Membership?, _ writer: inout JSONWriter) {
        if filter.eventFormat == .federation {
            var value = event.event.json.value
            value["event_id"] = .string(event.event.eventID.string)
            value["room_id"] = .string(event.event.roomID.string)
            writer.write(value)
        } else if let fields = filter.eventFields {
            var whole = JSONWriter(capacity: 700)
            rendered.write(event, into: &whole, includeRoomID: false, membership: membership)
            guard let json = try? JSON(parsing: whole.bytes) else { return writer.writeRaw(whole.bytes) }
            fields.write(json, into: &writer)
        } else {
            rendered.write(event, into: &writer, includeRoomID: false, membership: membership)
        }
    }
}

/// What a user who is not in a room is told of it.
struct StrippedState: Sendable {
    /// What another server told: stripped events.
    var told: [JSON] = []
    /// Events that this server has.
    var events: [StoredEvent] = []
}
