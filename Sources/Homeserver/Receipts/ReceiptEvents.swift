import Matrix
import Store

/// Receipts as clients are told of them.
///
/// [m.receipt](https://spec.matrix.org/v1.19/client-server-api/#mreceipt).
public enum ReceiptEvents {
    /// The `m.receipt` events, usually one, that tell of some receipts of one room.
    ///
    /// A user can have receipts for several threads at one event, for which the event's format has one place only: each further
    /// one goes into an event of its own.
    ///
    /// - Returns: The text of each event: a JSON object with `type` and `content`.
    public static func events(_ receipts: some Sequence<ReceiptRecord>) -> [[UInt8]] {
        var layers: [[EventID: [ExactString: [UserID: ReceiptRecord]]]] = []
        for receipt in receipts {
            let type = ExactString(receipt.type)
            let free = layers.firstIndex { $0[receipt.eventID]?[type]?[receipt.userID] == nil }
            if free == nil { layers.append([:]) }
            layers[free ?? layers.count - 1][receipt.eventID, default: [:]][type, default: [:]][receipt.userID] =
                receipt
        }
        return layers.map(text)
    }

    private static func text(_ receipts: [EventID: [ExactString: [UserID: ReceiptRecord]]]) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("type", "m.receipt")
        writer.key("content")
        writer.beginObject()
        for (event, types) in receipts.sorted(by: { $0.key < $1.key }) {
            writer.key(event.string)
            writer.beginObject()
            for (type, users) in types.sorted(by: { $0.key < $1.key }) {
                writer.key(type.string)
                writer.beginObject()
                for (user, receipt) in users.sorted(by: { $0.key < $1.key }) {
                    writer.key(user.string)
                    writer.beginObject()
                    writer.member("ts", receipt.timestamp)
                    writer.member("thread_id", receipt.thread)
                    writer.endObject()
                }
                writer.endObject()
            }
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }
}
