import Homeserver
import Matrix
import Store

/// [m.receipt](https://spec.matrix.org/v1.19/server-server-api/#receipts): a user has read up to an event.
struct ReceivedReceipt: Sendable {
    let room: RoomID
    let user: UserID
    let event: EventID
    /// A thread root's event ID, or `main`; `nil` for the whole room.
    let thread: String?
    /// When, in milliseconds since 1970.
    let timestamp: Int64

    /// The most receipts of one message that are looked at.
    private static let maximumCount = 1_000

    /// Reads a content; what is not understood, or not about users of the server that sends it, is left out.
    static func all(in content: JSON, from origin: ServerName) -> [ReceivedReceipt] {
        var receipts: [ReceivedReceipt] = []
        for (name, types) in content.members {
            guard let room = RoomID(name), let users = types["m.read"] else { continue }
            for (name, receipt) in users.members {
                guard receipts.count < maximumCount else { return receipts }
                guard let user = UserID(name), user.isLocal(to: origin),
                    let read = ReceivedReceipt(receipt, of: user, in: room)
                else { continue }
                receipts.append(read)
            }
        }
        return receipts
    }

    private init?(_ receipt: JSON, of user: UserID, in room: RoomID) {
        guard let events = receipt["event_ids"], events.isArray,
            let event = events.elements.first(where: { _ in true })?.string.flatMap({ EventID($0) })
        else { return nil }
        if let thread = receipt["data"]?["thread_id"], !thread.isNull {
            guard let text = thread.string, ExactString(text) == Threads.main || EventID(text) != nil else {
                return nil
            }
            self.thread = text
        } else {
            thread = nil
        }
        self.room = room
        self.user = user
        self.event = event
        timestamp = receipt["data"]?["ts"]?.int ?? 0
    }
}

extension EphemeralIntake {
    /// Stores receipts.
    func receipts(_ received: [ReceivedReceipt], in rooms: [RoomID: RoomNumber]) -> [EphemeralWrite] {
        received.compactMap { receipt in
            guard let room = rooms[receipt.room] else { return nil }
            let receipts = receipts
            return EphemeralWrite(type: "m.receipt", rows: 2) { writer in
                try receipts.receive(
                    receipt.event, thread: receipt.thread, timestamp: receipt.timestamp, of: receipt.user, in: room,
                    writer)
            }
        }
    }
}
