import Matrix

/// [get_missing_events](https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid)
public struct MissingEventsRequest: FederationRequest {
    private let room: RoomID
    private let latest: [EventID]
    private let earliest: [EventID]
    private let limit: Int
    private let minimumDepth: Int64

    /// A request for at most `limit` events before `latest` and after `earliest`.
    public init(in room: RoomID, before latest: [EventID], after earliest: [EventID], limit: Int, minimumDepth: Int64) {
        self.room = room
        self.latest = latest
        self.earliest = earliest
        self.limit = limit
        self.minimumDepth = minimumDepth
    }

    /// POST.
    public var method: FederationMethod { .post }
    /// Path and query.
    public var target: RequestTarget { .v1("get_missing_events", room.string) }
    /// What is wanted.
    public var body: [UInt8]? {
        let value: JSONValue = [
            "limit": .integer(Int64(limit)), "min_depth": .integer(minimumDepth),
            "earliest_events": .array(earliest.map { .string($0.string) }),
            "latest_events": .array(latest.map { .string($0.string) }),
        ]
        return value.serialized()
    }
    /// So many events of the largest size.
    public var responseLimitBytes: Int { EventsAnswer.limitBytes(events: limit) }
    /// One minute.
    public var timeoutMilliseconds: Int64 { 60_000 }

    /// The events.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [[UInt8]] {
        try json.events("events", atMost: EventsAnswer.maximum(limit))
    }
}

/// [backfill](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid)
public struct BackfillRequest: FederationRequest {
    private let room: RoomID
    private let events: [EventID]
    private let limit: Int

    /// A request for at most `limit` events at and before `events`.
    public init(_ room: RoomID, from events: [EventID], limit: Int) {
        self.room = room
        self.events = events
        self.limit = limit
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget {
        .v1("backfill", room.string).with("v", events.map(\.string)).with("limit", String(limit))
    }
    /// So many events of the largest size.
    public var responseLimitBytes: Int { EventsAnswer.limitBytes(events: limit) }
    /// One minute.
    public var timeoutMilliseconds: Int64 { 60_000 }

    /// The events.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [[UInt8]] {
        try json.events("pdus", atMost: EventsAnswer.maximum(limit))
    }
}

/// How large lists of events may be that were asked for by number.
private enum EventsAnswer {
    /// Some servers answer a few more than asked for; the caller takes as many as it wants.
    static func maximum(_ limit: Int) -> Int { max(limit, 1) * 2 }
    static func limitBytes(events: Int) -> Int { (1 << 20) + min(max(events, 1), 500) * (80 << 10) }
}

/// [state_ids](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid)
public struct StateIDsRequest: FederationRequest {
    private let event: EventID
    private let room: RoomID

    /// A request for the state before an event.
    public init(before event: EventID, in room: RoomID) {
        self.event = event
        self.room = room
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("state_ids", room.string).with("event_id", event.string) }
    /// Identifiers of the largest rooms' state.
    public var responseLimitBytes: Int { 32 << 20 }
    /// Two minutes.
    public var timeoutMilliseconds: Int64 { 120_000 }

    /// The state and its auth chain.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> (state: [EventID], authChain: [EventID]) {
        (state: try json.identifiers("pdu_ids"), authChain: try json.identifiers("auth_chain_ids"))
    }
}

/// [state](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid)
public struct StateRequest: FederationRequest {
    private let event: EventID
    private let room: RoomID

    /// A request for the state before an event.
    public init(before event: EventID, in room: RoomID) {
        self.event = event
        self.room = room
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("state", room.string).with("event_id", event.string) }
    /// The state of the largest rooms is some 100 MB.
    public var responseLimitBytes: Int { 128 << 20 }
    /// Other servers collect that state for minutes.
    public var timeoutMilliseconds: Int64 { 300_000 }

    /// The state and its auth chain.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> (state: [[UInt8]], authChain: [[UInt8]]) {
        (state: try json.events("pdus"), authChain: try json.events("auth_chain"))
    }
}

/// [event](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid)
public struct GetEventRequest: FederationRequest {
    private let event: EventID

    /// A request for an event.
    public init(_ event: EventID) { self.event = event }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("event", event.string) }

    /// The event, whose identifier is for the caller to check.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [UInt8] {
        guard let event = try json.events("pdus", atMost: 1).first else { throw MalformedAnswer("holds no event") }
        return event
    }
}

/// [event_auth](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid)
public struct EventAuthRequest: FederationRequest {
    private let event: EventID
    private let room: RoomID

    /// A request for an event's auth chain.
    public init(of event: EventID, in room: RoomID) {
        self.event = event
        self.room = room
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget { .v1("event_auth", room.string, event.string) }
    /// Auth chains of old rooms are long.
    public var responseLimitBytes: Int { 64 << 20 }
    /// Two minutes.
    public var timeoutMilliseconds: Int64 { 120_000 }

    /// The chain.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [[UInt8]] { try json.events("auth_chain") }
}

/// [timestamp_to_event](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid)
public struct TimestampToEventRequest: FederationRequest {
    private let room: RoomID
    private let timestamp: Int64
    private let searchesForward: Bool

    /// A request for the event nearest to a time, in milliseconds since 1970, at or after it or else at or before it.
    public init(in room: RoomID, timestamp: Int64, searchesForward: Bool) {
        self.room = room
        self.timestamp = timestamp
        self.searchesForward = searchesForward
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget {
        .v1("timestamp_to_event", room.string).with("ts", String(timestamp))
            .with("dir", searchesForward ? "f" : "b")
    }

    /// The event and its time.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> (event: EventID, originServerTS: Int64) {
        (event: try json.requiredIdentifier("event_id"), originServerTS: try json.requiredInteger("origin_server_ts"))
    }
}

/// [sign](https://spec.matrix.org/v1.19/server-server-api/#post_matrixpolicyv1sign): asks a room's policy server for its signature.
public struct PolicySignRequest: FederationRequest {
    private let event: Event
    private let server: ServerName

    /// A request to that policy server.
    public init(_ event: Event, at server: ServerName) {
        self.event = event
        self.server = server
    }

    /// POST.
    public var method: FederationMethod { .post }
    /// Path and query.
    public var target: RequestTarget { RequestTarget("/_matrix/policy/v1/sign") }
    /// The event.
    public var body: [UInt8]? { event.bytes }
    /// Sending waits for it.
    public var timeoutMilliseconds: Int64 { 10_000 }

    /// The signatures by key, unverified; none if the server did not recommend the event.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [SigningKeyID: [UInt8]] {
        var signatures: [SigningKeyID: [UInt8]] = [:]
        for (name, value) in (json[server.string] ?? .emptyObject).members where signatures.count < 16 {
            guard let keyID = SigningKeyID(name), let signature = value.string.flatMap(Base64.decode) else { continue }
            signatures[keyID] = signature
        }
        return signatures
    }
}
