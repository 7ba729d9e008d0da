extension Event {
    /// Parses an event from outside and checks its format; signatures, hashes and authorization are other steps.
    ///
    /// The first of the [checks on receipt](https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu).
    ///
    /// - Parameters:
    ///   - bytes: The event's JSON.
    ///   - version: The version of the event's room.
    /// - Throws: ``EventError``, which says what is wrong.
    public convenience init(parsing bytes: [UInt8], version: RoomVersion) throws(EventError) {
        let json: JSON
        do { json = try JSON(parsing: bytes, options: version.parserOptions) } catch { throw .json(error) }
        try self.init(checking: json, version: version)
    }

    /// Takes an event out of a larger text that is parsed already, such as a transaction; the text is copied, not kept alive.
    ///
    /// - Throws: ``EventError``, which says what is wrong.
    public convenience init(_ json: JSON, version: RoomVersion) throws(EventError) {
        let detached = json.detached()
        if version.strictCanonicalJSON, !detached.hasOnlyCanonicalNumbers { throw .numberNotAllowed }
        try self.init(checking: detached, version: version)
    }

    /// Reads an event back that was checked before it was stored: nothing is hashed, nothing but the shape is checked.
    ///
    /// - Throws: ``EventError`` only if the stored text is damaged.
    public convenience init(trusted bytes: [UInt8], version: RoomVersion, eventID: EventID) throws(EventError) {
        let json: JSON
        do { json = try JSON(parsing: bytes, options: .stored) } catch { throw .json(error) }
        try self.init(trusted: json, version: version, eventID: eventID)
    }

    convenience init(trusted json: JSON, version: RoomVersion, eventID: EventID) throws(EventError) {
        let document = json.document
        let fields = EventFields(of: json)
        guard let type = fields.value(.type, in: document)?.string else { throw .missing(.type) }
        guard let sender = fields.value(.sender, in: document)?.string else { throw .missing(.sender) }
        guard let sender = UserID(trusted: sender) else { throw .invalid(.sender) }
        let roomID: RoomID
        if let member = fields.value(.roomID, in: document)?.string {
            roomID = RoomID(trusted: member)
        } else {
            guard version.roomIDIsCreateHash else { throw .missing(.roomID) }
            roomID = RoomID(createEvent: eventID)
        }
        self.init(
            version: version, json: json, fields: fields, eventID: eventID, roomID: roomID, type: EventType(type),
            stateKey: (fields.value(.stateKey, in: document)?.string).map { ExactString($0) }, sender: sender,
            originServerTS: fields.value(.originServerTS, in: document)?.wideInt ?? 0,
            depth: fields.value(.depth, in: document)?.wideInt ?? 0
        )
    }

    private convenience init(checking json: JSON, version: RoomVersion) throws(EventError) {
        guard json.isObject else { throw .notAnObject }
        let document = json.document
        // Canonical text is hardly ever longer than what was received; only fractions of old versions can be.
        if document.bytes.count > Self.maximumBytes || !version.strictCanonicalJSON {
            let count = CanonicalJSON.text(of: json).count
            guard count <= Self.maximumBytes else { throw .tooLarge(bytes: count) }
        }
        let check = EventFormatCheck(version: version, document: document, fields: EventFields(of: json))
        let type = try check.text(.type)
        let sender = try check.text(.sender)
        guard let sender = UserID(sender) else { throw .invalid(.sender) }
        let stateKey = try check.optionalText(.stateKey)
        try check.object(.content)
        try check.signatures()
        let originServerTS = try check.integer(.originServerTS)
        let depth = try check.integer(.depth)
        guard depth >= 0 else { throw .invalid(.depth) }
        try check.references(.prevEvents, atMost: Self.maximumPrevEvents)
        try check.references(.authEvents, atMost: Self.maximumAuthEvents)

        let eventID: EventID
        if version.eventIDIsHash {
            eventID = EventID(
                hash: RedactedForm.referenceHash(json, fields: check.fields, type: EventType(type), version: version),
                format: version.eventIDFormat
            )
        } else {
            guard let id = EventID(try check.text(.eventID)), id.server != nil else { throw .invalid(.eventID) }
            eventID = id
        }
        self.init(
            version: version, json: json, fields: check.fields, eventID: eventID,
            roomID: try check.roomID(type: EventType(type), eventID: eventID), type: EventType(type),
            stateKey: stateKey.map { ExactString($0) }, sender: sender, originServerTS: originServerTS, depth: depth
        )
    }
}

/// The rules that an event's members keep to, one after the other.
private struct EventFormatCheck {
    let version: RoomVersion
    let document: JSONDocument
    let fields: EventFields

    private func member(_ field: EventField) -> JSON? { fields.value(field, in: document) }

    func optionalText(_ field: EventField) throws(EventError) -> String? {
        guard let json = member(field) else { return nil }
        guard let text = json.string else { throw .invalid(field) }
        guard text.utf8.count <= Event.maximumFieldBytes else {
            throw .fieldTooLong(field, bytes: text.utf8.count)
        }
        // No database column of text can hold it.
        guard !text.utf8.contains(0) else { throw .invalid(field) }
        return text
    }

    func text(_ field: EventField) throws(EventError) -> String {
        guard let text = try optionalText(field) else { throw .missing(field) }
        return text
    }

    func object(_ field: EventField) throws(EventError) {
        guard let json = member(field) else { throw .missing(field) }
        guard json.isObject else { throw .invalid(field) }
    }

    func integer(_ field: EventField) throws(EventError) -> Int64 {
        guard let json = member(field) else { throw .missing(field) }
        guard let integer = json.wideInt else { throw .invalid(field) }
        return integer
    }

    func signatures() throws(EventError) {
        try object(.hashes)
        try object(.signatures)
        guard member(.hashes)?["sha256"]?.string != nil else { throw .invalid(.hashes) }
        for (_, keys) in member(.signatures)?.members ?? JSON.emptyObject.members where !keys.isObject {
            throw .invalid(.signatures)
        }
    }

    func references(_ field: EventField, atMost limit: Int) throws(EventError) {
        guard let list = member(field) else { throw .missing(field) }
        guard list.isArray else { throw .invalid(field) }
        var count = 0
        for element in list.elements {
            count += 1
            var id: JSON? = element
            if version.eventFormat == .v1 {
                guard element.isArray, element.count == 2 else { throw .invalid(field) }
                id = element.elements.first { _ in true }
            }
            guard let id = id?.string, EventID(id) != nil else { throw .invalid(field) }
        }
        guard count <= limit else { throw .tooManyReferences(field, count: count) }
    }

    func roomID(type: EventType, eventID: EventID) throws(EventError) -> RoomID {
        if version.roomIDIsCreateHash, type == .create {
            guard member(.roomID) == nil else { throw .roomIDNotAllowed }
            return RoomID(createEvent: eventID)
        }
        guard let id = RoomID(try text(.roomID)) else { throw .invalid(.roomID) }
        return id
    }
}
