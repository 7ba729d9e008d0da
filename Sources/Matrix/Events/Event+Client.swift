/// Events as clients are told of them: spliced from the stored text.
extension Event {
    /// Writes the event in the client format.
    ///
    /// Redactions name what they redact in both places, the top level and the content, whatever their version
    /// ([room version 11](https://spec.matrix.org/v1.19/rooms/v11/#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property)).
    ///
    /// - Parameters:
    ///   - writer: Where to; the event is one value.
    ///   - includeRoomID: Whether `room_id` is written, which `/sync` leaves out.
    ///   - unsigned: Writes the members of `unsigned`; without it there is no `unsigned`.
    public func writeClient(
        into writer: inout JSONWriter, includeRoomID: Bool, unsigned: ((inout JSONWriter) -> Void)? = nil
    ) {
        writer.beginObject()
        writeClientMembers(into: &writer, includeRoomID: includeRoomID)
        if let unsigned {
            writer.rawKey("unsigned")
            writer.beginObject()
            unsigned(&writer)
            writer.endObject()
        }
        writer.endObject()
    }

    /// Writes the event in the client format with an `unsigned` whose text is ready.
    ///
    /// - Parameters:
    ///   - writer: Where to; the event is one value.
    ///   - includeRoomID: Whether `room_id` is written, which `/sync` leaves out.
    ///   - unsigned: The text of a JSON object; if empty there is no `unsigned`.
    public func writeClient(
        into writer: inout JSONWriter, includeRoomID: Bool, unsigned: some Collection<UInt8>
    ) {
        writer.beginObject()
        writeClientMembers(into: &writer, includeRoomID: includeRoomID)
        if !unsigned.isEmpty {
            writer.rawKey("unsigned")
            writer.writeRaw(unsigned)
        }
        writer.endObject()
    }

    /// Writes the event in the format of [stripped state](https://spec.matrix.org/v1.19/client-server-api/#stripped-state): `content`,
    /// `sender`, `state_key` and `type`.
    public func writeStripped(into writer: inout JSONWriter) {
        writer.beginObject()
        splice(.content, into: &writer)
        splice(.sender, into: &writer)
        splice(.stateKey, into: &writer)
        splice(.type, into: &writer)
        writer.endObject()
    }

    /// The text as other servers are sent it: without `unsigned`, which is nobody's.
    public var federationBytes: [UInt8] {
        guard self[.unsigned] != nil else { return bytes }
        var writer = JSONWriter(capacity: bytes.count)
        writer.beginObject()
        for (name, value) in json.members where name != "unsigned" {
            writer.key(name)
            writer.write(value)
        }
        writer.endObject()
        return writer.bytes
    }

    private func writeClientMembers(into writer: inout JSONWriter, includeRoomID: Bool) {
        let redacts = redacts
        if let redacts, !version.redactsInContent, content["redacts"] == nil {
            writer.rawKey("content")
            writer.beginObject()
            for (name, value) in content.members {
                writer.key(name)
                writer.write(value)
            }
            writer.member("redacts", redacts)
            writer.endObject()
        } else {
            splice(.content, into: &writer)
        }
        writer.rawKey("event_id")
        writer.write(eventID.string)
        splice(.sticky, into: &writer)
        splice(.originServerTS, into: &writer)
        if let redacts {
            writer.rawKey("redacts")
            writer.write(redacts.string)
        }
        if includeRoomID {
            writer.rawKey("room_id")
            writer.write(roomID.string)
        }
        splice(.sender, into: &writer)
        splice(.stateKey, into: &writer)
        splice(.type, into: &writer)
    }

    private func splice(_ field: EventField, into writer: inout JSONWriter) {
        let document = json.document
        guard let range = fields.range(field, in: document) else { return }
        writer.rawKey(field.staticName)
        document.bytes.withUnsafeBufferPointer { writer.writeRaw(UnsafeBufferPointer(rebasing: $0[range])) }
    }
}
