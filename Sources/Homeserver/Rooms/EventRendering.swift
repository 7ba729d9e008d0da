import Matrix
import Store

/// Who looks at events, and how they want them.
public struct Viewer: Sendable {
    /// The user.
    public let user: UserNumber
    /// The user, by name.
    public let userID: UserID
    /// The device, to whose own events the transaction ID is added.
    public let device: DeviceID?
    /// The time, in milliseconds since 1970, from which ages count.
    public let now: Int64

    /// A viewer.
    public init(_ user: Requester, now: Int64) {
        self.user = user.number
        userID = user.id
        device = user.device
        self.now = now
    }
}

/// Events with what has to be said beside them, ready to be written for one viewer.
public struct RenderedEvents: Sendable {
    private let related: [EventNumber: StoredEvent]
    private let relations: BundledRelations
    private let viewer: Viewer

    /// Loads what the events refer to: what they replaced, what redacted them; and what relates to them.
    ///
    /// - Parameter parents: Those with which it is told what relates to them; all of them if `nil`.
    public init(
        _ events: some Collection<StoredEvent>, for viewer: Viewer, store: Store,
        withRelationsOf parents: [StoredEvent]? = nil
    ) async throws {
        let parents = parents ?? Array(events)
        relations =
            parents.isEmpty ? BundledRelations() : try await BundledRelations(parents, for: viewer, store: store)
        var wanted: Set<EventNumber> = []
        for event in events {
            if let replaces = event.replaces { wanted.insert(replaces) }
            if let redaction = event.redactedBy { wanted.insert(redaction) }
        }
        related = wanted.isEmpty ? [:] : try await store.events(wanted)
        self.viewer = viewer
    }

    /// Writes one of the events in the client format.
    ///
    /// [ClientEvent](https://spec.matrix.org/v1.19/client-server-api/#room-event-format)
    public func write(
        _ stored: StoredEvent, into writer: inout JSONWriter, includeRoomID: Bool, membership: Membership? = nil
    ) {
        write(stored, into: &writer, includeRoomID: includeRoomID, membership: membership, isChild: false)
    }

    /// - Parameter isChild: Whether it is told with another that it relates to: a thread is not told within a thread.
    private func write(
        _ stored: StoredEvent, into writer: inout JSONWriter, includeRoomID: Bool, membership: Membership?,
        isChild: Bool
    ) {
        stored.event.writeClient(into: &writer, includeRoomID: includeRoomID) { writer in
            writer.rawKey("age")
            writer.write(max(0, viewer.now - stored.event.originServerTS))
            if let transaction = stored.transaction, stored.sender == viewer.user, transaction.device == viewer.device {
                writer.member("transaction_id", transaction.id)
            }
            if let end = stored.event.sticksUntil(received: stored.receivedTimestamp), end > viewer.now {
                writer.member("msc4354_sticky_duration_ttl_ms", end - viewer.now)
            }
            if let membership {
                writer.rawKey("membership")
                writer.write(membership.rawValue)
            }
            if let replaces = stored.replaces, let replaced = related[replaces] {
                writer.member("replaces_state", replaced.event.eventID)
                writer.member("prev_content", replaced.event.content)
                writer.member("prev_sender", replaced.event.sender)
            }
            if let by = stored.redactedBy, let redaction = related[by] {
                // Of old; some clients still look for it.
                writer.member("redacted_by", redaction.event.eventID)
                writer.key("redacted_because")
                redaction.event.writeClient(into: &writer, includeRoomID: includeRoomID) { writer in
                    writer.member("age", max(0, viewer.now - redaction.event.originServerTS))
                }
            }
            if let bundle = relations[stored.number] {
                write(bundle, into: &writer, includeRoomID: includeRoomID, isChild: isChild)
            }
        }
    }

    private func write(
        _ bundle: BundledRelations.Bundle, into writer: inout JSONWriter, includeRoomID: Bool, isChild: Bool
    ) {
        let thread = isChild ? nil : bundle.thread
        guard thread != nil || bundle.replacement != nil || !bundle.references.isEmpty else { return }
        func child(_ event: StoredEvent, _ writer: inout JSONWriter) {
            write(event, into: &writer, includeRoomID: includeRoomID, membership: nil, isChild: true)
        }
        writer.rawKey("m.relations")
        writer.beginObject()
        if let replacement = bundle.replacement {
            writer.rawKey("m.replace")
            child(replacement, &writer)
        }
        if let thread {
            writer.rawKey("m.thread")
            writer.beginObject()
            writer.rawKey("latest_event")
            child(thread.last, &writer)
            writer.member("count", Int64(thread.count))
            writer.member("current_user_participated", thread.hasParticipated)
            writer.endObject()
        }
        if !bundle.references.isEmpty {
            writer.rawKey("m.reference")
            writer.beginObject()
            writer.rawKey("chunk")
            writer.beginArray()
            for reference in bundle.references {
                writer.beginObject()
                writer.member("event_id", reference)
                writer.endObject()
            }
            writer.endArray()
            writer.endObject()
        }
        writer.endObject()
    }
}
