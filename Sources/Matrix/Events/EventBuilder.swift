import Crypto

/// What a new event is made of; ``build(serverName:signer:)`` hashes, signs and names it.
public struct EventBuilder: Sendable {
    /// The room's version.
    public var version: RoomVersion
    /// The room; `nil` for a creation event where rooms are named after it.
    public var roomID: RoomID?
    /// The `type`.
    public var type: EventType
    /// The `state_key`; `nil` for a message event.
    public var stateKey: ExactString?
    /// The `sender`.
    public var sender: UserID
    /// The `content`, an object.
    public var content: JSON
    /// The time of sending, in milliseconds since 1970.
    public var originServerTS: Int64
    /// The `depth`.
    public var depth: Int64
    /// The events that this one follows.
    public var prevEvents: [EventID]
    /// The events that allow this one.
    public var authEvents: [EventID]
    /// What a redaction redacts; written to wherever the version keeps it.
    public var redacts: EventID?
    /// For how long the event sticks, in milliseconds, if it does.
    public var stickyMilliseconds: Int64?
    /// The obsolete `origin`, for whoever still wants it.
    public var origin: ServerName?
    /// A random token without `:` that the event's identifier is made of, in versions where servers choose it.
    public var eventIDToken: String?
    /// The reference hashes of the events referred to, which versions with ``RoomVersion/EventFormat/v1`` name with them; empty where another
    /// server has left one out.
    public var referenceHashes: [EventID: [UInt8]] = [:]

    /// An event to build.
    public init(
        version: RoomVersion, roomID: RoomID?, type: EventType, stateKey: ExactString? = nil, sender: UserID,
        content: JSON, originServerTS: Int64, depth: Int64, prevEvents: [EventID] = [], authEvents: [EventID] = [],
        redacts: EventID? = nil, origin: ServerName? = nil, eventIDToken: String? = nil
    ) {
        self.version = version
        self.roomID = roomID
        self.type = type
        self.stateKey = stateKey
        self.sender = sender
        self.content = content
        self.originServerTS = originServerTS
        self.depth = depth
        self.prevEvents = prevEvents
        self.authEvents = authEvents
        self.redacts = redacts
        self.origin = origin
        self.eventIDToken = eventIDToken
    }

    /// An event to build from a content that is a tree.
    public init(
        version: RoomVersion, roomID: RoomID?, type: EventType, stateKey: ExactString? = nil, sender: UserID,
        content: JSONValue, originServerTS: Int64, depth: Int64, prevEvents: [EventID] = [],
        authEvents: [EventID] = [], redacts: EventID? = nil, origin: ServerName? = nil, eventIDToken: String? = nil
    ) {
        self.init(
            version: version, roomID: roomID, type: type, stateKey: stateKey, sender: sender, content: content.json,
            originServerTS: originServerTS, depth: depth, prevEvents: prevEvents, authEvents: authEvents,
            redacts: redacts, origin: origin, eventIDToken: eventIDToken
        )
    }

    /// Makes the event: content hash, signature and identifier.
    ///
    /// [Adding hashes and signatures](https://spec.matrix.org/v1.19/server-server-api/#adding-hashes-and-signatures-to-outgoing-events).
    ///
    /// - Parameters:
    ///   - serverName: The server that signs.
    ///   - signer: Its key.
    /// - Throws: ``EventError`` if the event would break its format: too large, too many references, numbers that are not canonical.
    public func build(serverName: ServerName, signer: SigningKey) throws(EventError) -> Event {
        try check()
        let parts = try EventParts(self, serverName: serverName)

        // One canonical text grows by `hashes` and `signatures`; each hash and the signature is made once.
        let contentHash = parts.contentHash()
        let signedText = parts.text(contentHash: contentHash, redacted: true, signature: nil)
        let signature: [UInt8]
        do { signature = try signer.sign(signedText) } catch { throw .signing(error) }
        let text = parts.text(
            contentHash: contentHash, redacted: false,
            signature: (serverName, signer.keyID, signature)
        )
        guard text.count <= Event.maximumBytes else { throw .tooLarge(bytes: text.count) }

        let eventID =
            parts.eventID ?? EventID(hash: Array(SHA256.hash(data: signedText)), format: version.eventIDFormat)
        return try Event(trusted: text, version: version, eventID: eventID)
    }

    private func check() throws(EventError) {
        guard content.isObject else { throw .invalid(.content) }
        if version.strictCanonicalJSON {
            guard content.hasOnlyCanonicalNumbers, originServerTS.magnitude <= JSON.maximumInteger.magnitude,
                depth <= JSON.maximumInteger
            else { throw .numberNotAllowed }
        }
        guard depth >= 0 else { throw .invalid(.depth) }
        try limit(.type, type.string)
        if let stateKey { try limit(.stateKey, stateKey.string) }
        guard prevEvents.count <= Event.maximumPrevEvents else {
            throw .tooManyReferences(.prevEvents, count: prevEvents.count)
        }
        guard authEvents.count <= Event.maximumAuthEvents else {
            throw .tooManyReferences(.authEvents, count: authEvents.count)
        }
        let isNamedAfterItself = version.roomIDIsCreateHash && type == .create
        if isNamedAfterItself, roomID != nil { throw .roomIDNotAllowed }
        if !isNamedAfterItself, roomID == nil { throw .missing(.roomID) }
    }

    private func limit(_ field: EventField, _ text: String) throws(EventError) {
        guard text.utf8.count <= Event.maximumFieldBytes else { throw .fieldTooLong(field, bytes: text.utf8.count) }
        // No database column of text can hold it.
        guard !text.utf8.contains(0) else { throw .invalid(field) }
    }
}

/// A new event's members in canonical text, to be put together with and without what signing adds.
private struct EventParts {
    private let builder: EventBuilder
    private let content: [UInt8]
    private let redactedContent: [UInt8]
    private let prevEvents: [UInt8]
    private let authEvents: [UInt8]
    /// The chosen identifier, in versions where it is chosen.
    let eventID: EventID?

    init(_ builder: EventBuilder, serverName: ServerName) throws(EventError) {
        self.builder = builder
        var source = builder.content
        if builder.version.redactsInContent, let redacts = builder.redacts {
            var value = source.value
            value["redacts"] = .string(redacts.string)
            source = value.json
        }
        var content: [UInt8] = []
        content.reserveCapacity(source.bytes.count)
        CanonicalJSON.append(source, to: &content)
        self.content = content
        var redactedContent: [UInt8] = []
        RedactedForm.appendContent(source, type: builder.type, version: builder.version, to: &redactedContent)
        self.redactedContent = redactedContent
        prevEvents = try Self.references(builder.prevEvents, .prevEvents, builder)
        authEvents = try Self.references(builder.authEvents, .authEvents, builder)
        if builder.version.eventIDIsHash {
            eventID = nil
        } else {
            guard let token = builder.eventIDToken, !token.isEmpty, !token.utf8.contains(UInt8(ascii: ":")),
                let id = EventID("$\(token):\(serverName.string)")
            else { throw .incomplete(.eventID) }
            eventID = id
        }
    }

    private static func references(
        _ events: [EventID], _ field: EventField, _ builder: EventBuilder
    ) throws(EventError) -> [UInt8] {
        var writer = JSONWriter(capacity: events.count * 50 + 2)
        writer.beginArray()
        for event in events {
            guard builder.version.eventFormat == .v1 else {
                writer.write(event)
                continue
            }
            guard let hash = builder.referenceHashes[event] else { throw .incomplete(field) }
            writer.beginArray()
            writer.write(event)
            writer.beginObject()
            if !hash.isEmpty { writer.member("sha256", Base64.encode(hash)) }
            writer.endObject()
            writer.endArray()
        }
        writer.endArray()
        return writer.bytes
    }

    func contentHash() -> [UInt8] {
        Array(SHA256.hash(data: text(contentHash: nil, redacted: false, signature: nil)))
    }

    /// The canonical text. Members stand in the order of their names.
    func text(
        contentHash: [UInt8]?, redacted: Bool, signature: (server: ServerName, key: SigningKeyID, bytes: [UInt8])?
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: content.count + prevEvents.count + authEvents.count + 600)
        let version = builder.version
        writer.beginObject()
        writer.rawMember("auth_events", authEvents)
        writer.rawMember("content", redacted ? redactedContent : content)
        writer.member("depth", builder.depth)
        writer.member("event_id", eventID)
        if let contentHash {
            writer.key("hashes")
            writer.beginObject()
            writer.member("sha256", Base64.encode(contentHash))
            writer.endObject()
        }
        if !redacted, let duration = builder.stickyMilliseconds {
            writer.key("msc4354_sticky")
            writer.beginObject()
            writer.member("duration_ms", duration)
            writer.endObject()
        }
        if !redacted || RedactedForm.keeps(.origin, version: version) { writer.member("origin", builder.origin) }
        writer.member("origin_server_ts", builder.originServerTS)
        writer.rawMember("prev_events", prevEvents)
        if !redacted, !version.redactsInContent { writer.member("redacts", builder.redacts) }
        writer.member("room_id", builder.roomID)
        writer.member("sender", builder.sender)
        if let signature {
            writer.key("signatures")
            writer.beginObject()
            writer.key(signature.server.string)
            writer.beginObject()
            writer.member(signature.key.string, Base64.encode(signature.bytes))
            writer.endObject()
            writer.endObject()
        }
        writer.member("state_key", builder.stateKey?.string)
        writer.member("type", builder.type.string)
        writer.endObject()
        return writer.bytes
    }
}
