import Homeserver
import Matrix
import Store

/// [m.presence](https://spec.matrix.org/v1.19/server-server-api/#presence): whether users are there.
extension RemotePresence.Update {
    /// The most users of one message who are looked at.
    private static let maximumCount = 1_000

    /// Reads a content; what is not understood, or not about users of the server that sends it, is left out.
    static func all(in content: JSON, from origin: ServerName) -> [RemotePresence.Update] {
        guard let push = content["push"], push.isArray else { return [] }
        return push.elements.prefix(maximumCount).compactMap { update in
            guard let user = update["user_id"]?.string.flatMap({ UserID($0) }), user.isLocal(to: origin),
                let state = update["presence"]?.string.flatMap({ PresenceState(name: $0) })
            else { return nil }
            return RemotePresence.Update(
                user: user, state: state, statusMessage: update["status_msg"]?.string,
                lastActiveAgoMilliseconds: update["last_active_ago"]?.int ?? 0,
                isCurrentlyActive: update["currently_active"]?.bool ?? false)
        }
    }
}
