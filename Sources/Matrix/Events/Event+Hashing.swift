import Crypto

extension Event {
    /// SHA-256 of the whole event without `hashes`, `signatures` and `unsigned`.
    ///
    /// [Content hash](https://spec.matrix.org/v1.19/server-server-api/#calculating-the-content-hash-for-an-event).
    public func contentHash() -> [UInt8] {
        Array(SHA256.hash(data: CanonicalJSON.text(of: json, omitting: ["hashes", "signatures", "unsigned"])))
    }

    /// The content hash that the event states about itself, or `nil` if it is not Base64.
    public var statedContentHash: [UInt8]? { self[.hashes]?["sha256"]?.string.flatMap(Base64.decode) }

    /// Whether the stated content hash is right. If it is not, the event is to be redacted: it may be a redacted copy already.
    public var hasValidContentHash: Bool { statedContentHash == contentHash() }

    /// SHA-256 of the redacted event: its identifier, in room versions where that is a hash.
    ///
    /// [Reference hash](https://spec.matrix.org/v1.19/server-server-api/#calculating-the-reference-hash-for-an-event).
    public func referenceHash() -> [UInt8] {
        RedactedForm.referenceHash(json, fields: fields, type: type, version: version)
    }
}

extension EventID {
    /// What a text from outside calls itself if it is an event, whatever else is wrong with it; `nil` if it has no name at all.
    public init?(claimedBy json: JSON, version: RoomVersion) {
        if version.eventIDIsHash {
            let json = json.detached()
            let fields = EventFields(of: json)
            guard json.isObject, let type = fields.value(.type, in: json.document)?.string else { return nil }
            let hash = RedactedForm.referenceHash(json, fields: fields, type: EventType(type), version: version)
            self.init(hash: hash, format: version.eventIDFormat)
        } else {
            guard let text = json["event_id"]?.string else { return nil }
            self.init(text)
        }
    }

    /// The identifier that a reference hash stands for.
    init(hash: [UInt8], format: RoomVersion.EventIDFormat) {
        let base64 = format == .base64 ? Base64.standard : Base64.urlSafe
        self.init(trusted: base64.encode(hash, prefix: UInt8(ascii: "$")))
    }

    /// The creation event of a room whose identifier is its hash.
    public init(createEventOf room: RoomID) { self.init(trusted: "$" + room.string.dropFirst()) }
}

extension RoomID {
    /// The room that a creation event makes, in versions where rooms are named after it.
    public init(createEvent: EventID) { self.init(trusted: "!" + createEvent.string.dropFirst()) }
}
