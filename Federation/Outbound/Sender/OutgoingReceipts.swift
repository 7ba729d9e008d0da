import FederationWire
import Matrix

/// A public read receipt of a user of this server.
struct OutgoingReceipt: Sendable {
    let room: RoomID
    let user: UserID
    let event: EventID
    /// The thread that was read; `nil` for the whole room.
    let thread: String?
    /// When, in milliseconds since 1970.
    let timestamp: Int64

    /// About how many bytes it takes in a message.
    var approximateBytes: Int {
        100 + user.string.utf8.count + event.string.utf8.count + (thread?.utf8.count ?? 0)
    }
}

/// The receipts of a transaction, in as few messages as can be.
///
/// A message has one place only for a user in a room; receipts for further threads go into further messages. Of a
/// user and thread only the last receipt counts.
///
/// [m.receipt](https://spec.matrix.org/v1.19/server-server-api/#receipts)
struct ReceiptLayers: Sendable {
    private struct Reader: Hashable {
        let room: RoomID
        let user: UserID
    }

    private var layers: [[Reader: OutgoingReceipt]] = []
    /// In which layer the receipt of a reader's thread is.
    private var places: [Reader: [ExactString?: Int]] = [:]

    /// How many messages there are.
    var count: Int { layers.count }

    /// How many messages there would be with one more receipt.
    func count(with receipt: OutgoingReceipt) -> Int { max(count, place(of: receipt) + 1) }

    mutating func add(_ receipt: OutgoingReceipt) {
        let place = place(of: receipt)
        let reader = Reader(room: receipt.room, user: receipt.user)
        if place == layers.count { layers.append([:]) }
        layers[place][reader] = receipt
        places[reader, default: [:]][receipt.thread.map { ExactString($0) }] = place
    }

    private func place(of receipt: OutgoingReceipt) -> Int {
        let threads = places[Reader(room: receipt.room, user: receipt.user)] ?? [:]
        // A reader's threads lie in the layers without a gap.
        return threads[receipt.thread.map { ExactString($0) }] ?? threads.count
    }

    var messages: [EphemeralMessage] {
        layers.map { EphemeralMessage(type: EDUType.receipt, content: Self.content(Array($0.values))) }
    }

    private static func content(_ receipts: [OutgoingReceipt]) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + receipts.reduce(0) { $0 + $1.approximateBytes })
        writer.beginObject()
        for (room, readers) in Dictionary(grouping: receipts, by: \.room).sorted(by: { $0.key < $1.key }) {
            writer.key(room.string)
            writer.beginObject()
            writer.key("m.read")
            writer.beginObject()
            for receipt in readers.sorted(by: { $0.user < $1.user }) {
                writer.key(receipt.user.string)
                writer.beginObject()
                writer.key("event_ids")
                writer.beginArray()
                writer.write(receipt.event)
                writer.endArray()
                writer.key("data")
                writer.beginObject()
                writer.member("ts", receipt.timestamp)
                writer.member("thread_id", receipt.thread)
                writer.endObject()
                writer.endObject()
            }
            writer.endObject()
            writer.endObject()
        }
        writer.endObject()
        return writer.bytes
    }
}
