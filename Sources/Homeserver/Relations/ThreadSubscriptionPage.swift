import Matrix
import Store

/// What a user has said about threads, the latest first.
///
/// [MSC4308](https://github.com/matrix-org/matrix-spec-proposals/pull/4308)
public struct ThreadSubscriptionPage: Sendable {
    /// How many are told at once at the most.
    public static let maximumLimit = 100

    /// The rooms, and what was said.
    public var wishes: [(room: RoomID, wish: ThreadWish)] = []
    /// Where what did not fit begins; `nil` if this was all.
    public var next: SyncToken?

    /// Writes the page's members into an object that is begun.
    ///
    /// - Parameter nextName: What the place of the rest is called.
    public func write(nextName: String, into writer: inout JSONWriter) {
        write("subscribed", wishes.filter { $0.wish.subscription.isSubscribed }, into: &writer)
        write("unsubscribed", wishes.filter { !$0.wish.subscription.isSubscribed }, into: &writer)
        writer.member(nextName, next?.text)
    }

    private func write(_ name: String, _ wishes: [(room: RoomID, wish: ThreadWish)], into writer: inout JSONWriter) {
        guard !wishes.isEmpty else { return }
        writer.key(name)
        writer.beginObject()
        for (room, some) in Dictionary(grouping: wishes, by: \.room).sorted(by: { $0.key < $1.key }) {
            writer.key(room.string)
            writer.beginObject()
            for (_, wish) in some {
                writer.key(wish.root.string)
                writer.beginObject()
                if wish.subscription.isSubscribed { writer.member("automatic", wish.subscription.isAutomatic) }
                writer.member("bump_stamp", wish.subscription.position.rawValue)
                writer.endObject()
            }
            writer.endObject()
        }
        writer.endObject()
    }
}
