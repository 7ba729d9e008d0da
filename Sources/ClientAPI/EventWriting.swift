import Homeserver
import Matrix
import Store
import Web

/// A response whose JSON text is ready.
struct RawResponse: ResponseEncodable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func encode(into encoder: inout ResponseEncoder) { encoder.json.writeRaw(bytes) }
}

/// Writes events into responses, in the format that has the room's identifier.
struct EventWriting: Sendable {
    let store: Store
    let clock: any Clock

    /// One event.
    func event(_ event: StoredEvent, for caller: Caller) async throws -> [UInt8] {
        let rendered = try await RenderedEvents([event], for: viewer(caller), store: store)
        var writer = JSONWriter(capacity: 1_024)
        rendered.write(event, into: &writer, includeRoomID: true)
        return writer.bytes
    }

    /// Some events, each by itself.
    func each(_ events: [StoredEvent], for caller: Caller) async throws -> [[UInt8]] {
        let rendered = try await RenderedEvents(events, for: viewer(caller), store: store)
        return events.map { event in
            var writer = JSONWriter(capacity: 1_024)
            rendered.write(event, into: &writer, includeRoomID: true)
            return writer.bytes
        }
    }

    /// An array of events.
    func array(_ events: [StoredEvent], for caller: Caller) async throws -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + events.count * 700)
        try await write(events, for: caller, into: &writer)
        return writer.bytes
    }

    /// An object whose one member is an array of events.
    func object(_ name: String, _ events: [StoredEvent], for caller: Caller) async throws -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + events.count * 700)
        writer.beginObject()
        try await member(name, events, for: caller, into: &writer)
        writer.endObject()
        return writer.bytes
    }

    /// A member of an object that is being written: an array of events.
    func member(_ name: String, _ events: [StoredEvent], for caller: Caller, into writer: inout JSONWriter) async throws
    {
        writer.key(name)
        try await write(events, for: caller, into: &writer)
    }

    private func write(_ events: [StoredEvent], for caller: Caller, into writer: inout JSONWriter) async throws {
        let rendered = try await RenderedEvents(events, for: viewer(caller), store: store)
        writer.beginArray()
        for event in events { rendered.write(event, into: &writer, includeRoomID: true) }
        writer.endArray()
    }

    private func viewer(_ caller: Caller) -> Viewer { Viewer(Requester(caller), now: clock.now) }
}
