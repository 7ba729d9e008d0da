/// What holds for every event that is accepted, in the room version that the first byte chooses: whatever may be left off leaves its
/// identifier as it is, and what clients and servers are sent is JSON.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzEvent(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let first = input.first else { return 0 }
    let version = RoomVersion.all[Int(first) % RoomVersion.all.count]
    let bytes = Array(input.dropFirst())
    guard let event = try? Event(parsing: bytes, version: version) else { return 0 }
    precondition(event.bytes == bytes, "the text was changed")

    guard let stored = try? Event(trusted: bytes, version: version, eventID: event.eventID) else {
        preconditionFailure("what is accepted cannot be read back")
    }
    precondition(stored.sender == event.sender && stored.roomID == event.roomID && stored.state == event.state)
    precondition(stored.depth == event.depth && stored.originServerTS == event.originServerTS)
    precondition(event.prevEvents.allSatisfy { EventID($0.string) != nil }, "a reference is no event ID")

    let array = Array("{\"pdus\" : [ ".utf8) + bytes + Array(" ]}".utf8)
    let options = JSONParserOptions(maximumDepth: JSONParserOptions.maximumEventDepth + 2)
    for element in (try? JSON(parsing: array, options: options))?["pdus"]?.elements.map({ $0 }) ?? [] {
        precondition(
            (try? Event(element, version: version))?.eventID == event.eventID, "taken out, it is another event")
    }

    guard let redacted = try? event.redacted() else { preconditionFailure("it cannot be redacted") }
    precondition(redacted.signedText() == event.signedText(), "redaction breaks the signature")
    guard let parsed = try? Event(parsing: redacted.bytes, version: version) else {
        preconditionFailure("the redacted event is refused")
    }
    precondition(parsed.eventID == event.eventID, "redaction changes the identifier")
    precondition((try? parsed.redacted())?.bytes == redacted.bytes, "redaction is no fixed point")

    guard let sent = try? Event(parsing: event.federationBytes, version: version) else {
        preconditionFailure("what other servers are sent is refused")
    }
    precondition(sent.eventID == event.eventID && sent.contentHash() == event.contentHash())

    var writer = JSONWriter()
    writer.beginArray()
    event.writeClient(into: &writer, includeRoomID: true) { $0.member("age", 1 as Int64) }
    redacted.writeClient(into: &writer, includeRoomID: false)
    event.writeStripped(into: &writer)
    writer.endArray()
    precondition((try? JSON(parsing: writer.bytes, options: options))?.count == 3, "clients are sent broken JSON")
    _ = event.requiredSigners
    _ = event.redacts
    _ = event.keyIDs(of: event.sender.server)
    return 0
}
