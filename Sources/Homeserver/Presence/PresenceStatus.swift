import Matrix
import Store

/// A user's presence as others are told of it.
public struct PresenceStatus: Sendable, Equatable {
    /// Whether a user is there.
    public typealias State = PresenceState

    /// Whether they are there.
    public var state: PresenceState
    /// What they say about it.
    public var statusMessage: String?
    /// How long ago they did something, in milliseconds; `nil` if they never did.
    public var lastActiveAgoMilliseconds: Int64?
    /// Whether they are doing something right now.
    public var isCurrentlyActive: Bool?

    /// A presence of which nothing more is known.
    public init(state: PresenceState) { self.state = state }

    /// What is told of a record.
    public init(_ record: PresenceRecord, now: Int64) {
        state = record.state
        statusMessage = record.statusMessage
        if record.lastActive > 0 { lastActiveAgoMilliseconds = max(0, now - record.lastActive) }
        if record.state == .online { isCurrentlyActive = record.isCurrentlyActive }
    }

    /// Writes the members of the `content` of `m.presence`.
    public func writeMembers(into writer: inout JSONWriter) {
        writer.member("presence", state.name)
        writer.member("last_active_ago", lastActiveAgoMilliseconds)
        writer.member("status_msg", statusMessage)
        writer.member("currently_active", isCurrentlyActive)
    }

    /// Writes the whole `m.presence` event as `/sync` tells of it.
    ///
    /// [m.presence](https://spec.matrix.org/v1.19/client-server-api/#mpresence).
    ///
    /// - Parameter naming: Whether the content names the user too, as the streams before `/sync` have it.
    public func writeEvent(of user: UserID, naming: Bool = false, into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("type", "m.presence")
        writer.member("sender", user)
        writer.key("content")
        writer.beginObject()
        if naming { writer.member("user_id", user) }
        writeMembers(into: &writer)
        writer.endObject()
        writer.endObject()
    }
}
