import Matrix
import Store

/// The thread that an event belongs to.
///
/// [Threading](https://spec.matrix.org/v1.19/client-server-api/#threading): an event that relates to a thread by `m.thread`, or relates in any other
/// way to an event that does.
public enum Threads {
    /// The main timeline, as receipts call it.
    public static let main = ExactString("main")

    /// How many relations are followed: an edit of a reaction to a message.
    static let maximumHops = 3

    /// The root of the thread that the event names itself, if it names one.
    public static func statedRoot(of event: Event) -> EventID? {
        guard let relation = event.content["m.relates_to"], relation["rel_type"]?.string == "m.thread" else {
            return nil
        }
        return relation["event_id"]?.string.flatMap { EventID($0) }
    }

    /// The thread of an event: its root's event ID, or ``main``.
    public static func thread(of event: Event, in reader: StoreReader) throws -> ExactString {
        var event = event
        for _ in 0...maximumHops {
            if let root = statedRoot(of: event) { return ExactString(root.string) }
            guard let relation = event.content["m.relates_to"], relation["rel_type"]?.string != nil,
                let target = relation["event_id"]?.string.flatMap({ EventID($0) }),
                let next = try reader.events.event(target)?.event, next.roomID == event.roomID
            else { return main }
            event = next
        }
        return main
    }
}
