import Homeserver
import Matrix
import Web

extension MembershipTemplate {
    /// The body of an answer to `make_join` and its like.
    var body: JSONValue {
        var body: JSONValue = ["event": event.value]
        body["room_version"] = version.map { .string($0.id) }
        return body
    }
}

/// What a request that hands over a membership event says.
struct MembershipHandover: RequestDecodable {
    let roomID: RoomID
    /// As the path has it; what is no identifier names no event, and is looked at after the event itself.
    let eventID: EventID?
    let event: JSON

    init(from input: RequestInput) throws {
        roomID = try input.path("roomId")
        eventID = EventID(try input.path("eventId") as String)
        event = try input.body.json
    }
}

/// The answer to `send_join`: written from the bytes of the stored events.
struct ResidentResponse: ResponseEncodable {
    let answer: ResidentAnswer
    let serverName: ServerName
    /// Whether the answer stands in an array after a status, as in the first version.
    let isFirstVersion: Bool

    func encode(into encoder: inout ResponseEncoder) {
        let size = (answer.state + answer.authChain).reduce(4096) { $0 + $1.event.bytes.count + 1 }
        encoder.json = JSONWriter(capacity: size)
        if isFirstVersion {
            encoder.json.beginArray()
            encoder.json.write(200)
        }
        encoder.json.beginObject()
        encoder.json.member("origin", serverName)
        write("auth_chain", answer.authChain.map(\.event), &encoder.json)
        write("state", answer.state.map(\.event), &encoder.json)
        encoder.json.key("event")
        encoder.json.writeRaw(answer.event.event.bytes)
        if !isFirstVersion {
            encoder.json.member("members_omitted", answer.membersOmitted)
            if answer.membersOmitted {
                encoder.json.key("servers_in_room")
                encoder.json.beginArray()
                for server in answer.servers { encoder.json.write(server) }
                encoder.json.endArray()
            }
        }
        encoder.json.endObject()
        if isFirstVersion { encoder.json.endArray() }
    }

    private func write(_ name: String, _ events: [Event], _ writer: inout JSONWriter) {
        writer.key(name)
        writer.beginArray()
        for event in events { writer.writeRaw(event.bytes) }
        writer.endArray()
    }
}
