import Matrix
import Store

extension SlidingAnswer {
    /// Writes the response's body.
    func write(
        _ request: SlidingSyncRequest, position: SlidingPosition, store: Store, now: Int64
    ) async throws -> [UInt8] {
        let events = rooms.flatMap { ($0.timeline ?? []) + $0.state } + (sticky?.rooms.flatMap(\.events) ?? [])
        // Who has been told everything before has been told what relates to what.
        let parents = rooms.flatMap { room in
            room.isInitial || room.isLimited || room.isExpanded ? room.timeline ?? [] : []
        }
        let rendered = try await RenderedEvents(
            events, for: Viewer(request.user, now: now), store: store, withRelationsOf: parents)
        var writer = JSONWriter(capacity: 512 + events.count * 700)
        writer.beginObject()
        writer.member("pos", position.text)
        writer.member("txn_id", request.transaction)
        writer.key("lists")
        writer.beginObject()
        for list in listCounts {
            writer.key(list.name.string)
            writer.beginObject()
            writer.member("count", Int64(list.count))
            writer.endObject()
        }
        writer.endObject()
        writer.key("rooms")
        writer.beginObject()
        for room in rooms {
            writer.key(room.room.string)
            room.write(request.form, rendered, &writer)
        }
        writer.endObject()
        writeExtensions(rendered, &writer)
        writer.endObject()
        return writer.bytes
    }

    private func writeExtensions(_ rendered: RenderedEvents, _ writer: inout JSONWriter) {
        writer.key("extensions")
        writer.beginObject()
        if let messages {
            writer.key("to_device")
            writer.beginObject()
            writer.member("next_batch", "\(messages.next)")
            writer.key("events")
            writer.beginArray()
            for event in messages.events { writer.writeRaw(event) }
            writer.endArray()
            writer.endObject()
        }
        writeEncryption(&writer)
        if let accountData {
            writer.key("account_data")
            writer.beginObject()
            writer.key("global")
            Self.write(accountData, &writer)
            writer.key("rooms")
            writer.beginObject()
            for (room, data) in roomAccountData {
                writer.key(room.string)
                Self.write(data, &writer)
            }
            writer.endObject()
            writer.endObject()
        }
        Self.write("receipts", receipts, &writer)
        Self.write("typing", typing, &writer)
        if let threadSubscriptions {
            writer.key("io.element.msc4308.thread_subscriptions")
            writer.beginObject()
            threadSubscriptions.write(nextName: "prev_batch", into: &writer)
            writer.endObject()
        }
        writeSticky(rendered, &writer)
        writer.endObject()
    }

    private func writeSticky(_ rendered: RenderedEvents, _ writer: inout JSONWriter) {
        guard let sticky else { return }
        writer.key("org.matrix.msc4354.sticky_events")
        writer.beginObject()
        writer.member("next_batch", "\(sticky.next)")
        writer.key("rooms")
        writer.beginObject()
        for (_, room, events) in sticky.rooms {
            writer.key(room.string)
            writer.beginObject()
            writer.key("events")
            writer.beginArray()
            for event in events { rendered.write(event, into: &writer, includeRoomID: false) }
            writer.endArray()
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
    }

    private func writeEncryption(_ writer: inout JSONWriter) {
        guard deviceLists != nil || keyCounts != nil else { return }
        writer.key("e2ee")
        writer.beginObject()
        if let deviceLists {
            writer.key("device_lists")
            writer.beginObject()
            Self.write("changed", deviceLists.changed.map(\.string), &writer)
            Self.write("left", deviceLists.left.map(\.string), &writer)
            writer.endObject()
        }
        if let keyCounts {
            writer.key("device_one_time_keys_count")
            writer.beginObject()
            for (algorithm, count) in keyCounts.oneTimeKeys { writer.member(algorithm, Int64(count)) }
            writer.endObject()
            Self.write("device_unused_fallback_key_types", keyCounts.unusedFallbackKeys, &writer)
        }
        writer.endObject()
    }

    private static func write(_ name: String, _ texts: [String], _ writer: inout JSONWriter) {
        writer.key(name)
        writer.beginArray()
        for text in texts { writer.write(text) }
        writer.endArray()
    }

    private static func write(_ data: [AccountDataRecord], _ writer: inout JSONWriter) {
        writer.beginArray()
        for item in data {
            writer.beginObject()
            writer.member("type", item.type)
            writer.key("content")
            writer.writeRaw(item.content)
            writer.endObject()
        }
        writer.endArray()
    }

    private static func write(
        _ name: String, _ rooms: [(room: RoomID, event: [UInt8])]?, _ writer: inout JSONWriter
    ) {
        guard let rooms else { return }
        writer.key(name)
        writer.beginObject()
        writer.key("rooms")
        writer.beginObject()
        for (room, event) in rooms {
            writer.key(room.string)
            writer.writeRaw(event)
        }
        writer.endObject()
        writer.endObject()
    }
}

extension SlidingRoomResult {
    func write(_ form: SlidingSyncRequest.Form, _ rendered: RenderedEvents, _ writer: inout JSONWriter) {
        writer.beginObject()
        if isInitial { writer.member("initial", true) }
        if form == .accepted {
            writer.member("membership", membership.rawValue)
            if !lists.isEmpty {
                writer.key("lists")
                writer.beginArray()
                for list in lists { writer.write(list.string) }
                writer.endArray()
            }
        }
        writer.member("bump_stamp", bumpStamp?.rawValue)
        writer.member("is_dm", isDirect)
        // Clients of the experiment take the name for text.
        Self.write("name", name, nullable: form == .accepted, &writer)
        Self.write("avatar", avatar, nullable: true, &writer)
        writeHeroes(&writer)
        if let counts {
            writer.member("joined_count", Int64(counts.joined))
            writer.member("invited_count", Int64(counts.invited))
        }
        if let unread, form == .experimental { Self.write(unread, &writer) }
        if let stripped { write(stripped, as: form == .accepted ? "stripped_state" : "invite_state", &writer) }
        writeState(form, rendered, &writer)
        writeTimeline(form, rendered, &writer)
        writer.endObject()
    }

    private static func write(_ member: String, _ change: Change, nullable: Bool, _ writer: inout JSONWriter) {
        switch change {
        case .unchanged: break
        case .value(let text): writer.member(member, text)
        case .removed:
            guard nullable else { return }
            writer.key(member)
            writer.writeNull()
        }
    }

    private func writeHeroes(_ writer: inout JSONWriter) {
        guard !heroes.isEmpty else { return }
        writer.key("heroes")
        writer.beginArray()
        for hero in heroes {
            guard let user = hero.event.stateKey else { continue }
            writer.beginObject()
            writer.member("user_id", user.string)
            writer.member("displayname", hero.event.content["displayname"]?.string)
            writer.member("avatar_url", hero.event.content["avatar_url"]?.string)
            writer.endObject()
        }
        writer.endArray()
    }

    /// All threads count as one timeline: the form has no place for them.
    private static func write(_ unread: UnreadSummary, _ writer: inout JSONWriter) {
        let all = [unread.main] + Array(unread.threads.values)
        writer.member("notification_count", Int64(all.reduce(0) { $0 + $1.notifications }))
        writer.member("highlight_count", Int64(all.reduce(0) { $0 + $1.highlights }))
    }

    private func write(_ stripped: StrippedState, as member: String, _ writer: inout JSONWriter) {
        writer.key(member)
        writer.beginArray()
        for event in stripped.told { writer.write(event) }
        for event in stripped.events { event.event.writeStripped(into: &writer) }
        writer.endArray()
    }

    private func writeState(
        _ form: SlidingSyncRequest.Form, _ rendered: RenderedEvents, _ writer: inout JSONWriter
    ) {
        let stubs = form == .accepted ? removedState : []
        guard !state.isEmpty || !stubs.isEmpty else { return }
        writer.key("required_state")
        writer.beginArray()
        for event in state { rendered.write(event, into: &writer, includeRoomID: false) }
        for stub in stubs {
            writer.beginObject()
            writer.member("type", stub.type.string)
            writer.member("state_key", stub.key.string)
            writer.endObject()
        }
        writer.endArray()
    }

    private func writeTimeline(
        _ form: SlidingSyncRequest.Form, _ rendered: RenderedEvents, _ writer: inout JSONWriter
    ) {
        guard let timeline else { return }
        writer.key("timeline")
        writer.beginArray()
        for event in timeline {
            rendered.write(event, into: &writer, includeRoomID: false, membership: membership == .join ? .join : nil)
        }
        writer.endArray()
        writer.member("limited", isLimited)
        writer.member("prev_batch", prevBatch?.text)
        writer.member("num_live", Int64(liveCount))
        if isExpanded {
            writer.member(form == .accepted ? "expanded_timeline" : "unstable_expanded_timeline", true)
        }
    }
}
