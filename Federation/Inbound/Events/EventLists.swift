import Homeserver
import Matrix
import Web

/// Answers that are lists of events: written from the stored bytes.
enum EventLists {
    /// A list that is streamed, so that a state of any size takes little memory.
    typealias Streamed = (name: String, events: [RoomQueries.StateSummary.Reference])

    private static let pageSize = 200
    /// Bytes that are passed on at once.
    private static let pieceBytes = 64 << 10

    /// An object of lists of events.
    static func response(_ lists: [Streamed], from queries: RoomQueries) -> HTTPResponse {
        HTTPResponse(
            status: 200, headers: ["Content-Type": "application/json"],
            body: .stream(contentLength: nil) { writer in
                var piece = Array("{".utf8)
                for (index, list) in lists.enumerated() {
                    piece += Array((index == 0 ? "\"" : ",\"").utf8) + Array(list.name.utf8) + Array("\":[".utf8)
                    var isFirst = true
                    var rest = list.events[...]
                    while !rest.isEmpty {
                        for text in try await queries.texts(of: rest.prefix(pageSize)) {
                            if !isFirst { piece.append(UInt8(ascii: ",")) }
                            isFirst = false
                            piece += text
                            guard piece.count >= pieceBytes else { continue }
                            try await writer.write(piece)
                            piece.removeAll(keepingCapacity: true)
                        }
                        rest = rest.dropFirst(pageSize)
                    }
                    piece.append(UInt8(ascii: "]"))
                }
                piece.append(UInt8(ascii: "}"))
                try await writer.write(piece)
            })
    }

    /// A transaction, as which some answers are written.
    static func transaction(_ events: [[UInt8]], origin: ServerName, now: Int64) -> HTTPResponse {
        var writer = JSONWriter(capacity: events.reduce(256) { $0 + $1.count + 1 })
        writer.beginObject()
        writer.member("origin", origin)
        writer.member("origin_server_ts", now)
        write("pdus", events, into: &writer)
        writer.endObject()
        return .json(200, writer.bytes)
    }

    /// Writes a list of events.
    static func write(_ name: String, _ events: [[UInt8]], into writer: inout JSONWriter) {
        writer.key(name)
        writer.beginArray()
        for event in events { writer.writeRaw(event) }
        writer.endArray()
    }

    /// Writes a list of identifiers.
    static func write(
        _ name: String, _ events: [RoomQueries.StateSummary.Reference], into writer: inout JSONWriter
    ) {
        writer.key(name)
        writer.beginArray()
        for event in events { writer.write(event.id) }
        writer.endArray()
    }
}
