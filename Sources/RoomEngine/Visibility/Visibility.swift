import Matrix

/// Decides who may see an event.
///
/// [Room history visibility](https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-6). Who ignores whom and who has been
/// erased is decided elsewhere.
public enum Visibility {
    /// Whether a user may see an event.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - user: The user.
    ///   - visibility: The room's history visibility just before the event.
    ///   - membership: The user's membership just before the event; `nil` if they had none.
    ///   - joinedLater: Whether the user has joined the room at any time after the event.
    public static func isVisible(
        _ event: Event, to user: UserID, visibility: HistoryVisibility, membership: Membership?, joinedLater: Bool
    ) -> Bool {
        var visibilities = [visibility]
        var memberships = [membership]
        if let changed = changedVisibility(by: event) { visibilities.append(changed) }
        if event.type == .member, event.stateKey == ExactString(user.string) {
            memberships.append(Membership(of: event))
        }
        return visibilities.contains { visibility in
            memberships.contains { allows(visibility, membership: $0, joinedLater: joinedLater) }
        }
    }

    /// Whether a server that takes part in the room may see an event.
    ///
    /// A server may see what any of its users may see, and what they have sent. That a `shared` history is only for servers whose users
    /// have joined is for the caller to see to.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - server: The server.
    ///   - visibility: The room's history visibility just before the event.
    ///   - memberships: The memberships of the server's users just before the event.
    public static func isVisible(
        _ event: Event, toServer server: ServerName, visibility: HistoryVisibility,
        memberships: some Sequence<Membership>
    ) -> Bool {
        if event.sender.isLocal(to: server) { return true }
        var visibilities = [visibility]
        if let changed = changedVisibility(by: event) { visibilities.append(changed) }
        if visibilities.contains(where: { $0 == .worldReadable || $0 == .shared }) { return true }
        var all = Array(memberships)
        if event.type == .member, let user = event.stateKey.flatMap({ UserID($0.string) }), user.isLocal(to: server),
            let membership = Membership(of: event)
        {
            all.append(membership)
        }
        return visibilities.contains { visibility in
            all.contains { allows(visibility, membership: $0, joinedLater: false) }
        }
    }

    private static func changedVisibility(by event: Event) -> HistoryVisibility? {
        guard event.type == .historyVisibility, event.stateKey?.string.isEmpty == true else { return nil }
        return HistoryVisibility(of: event)
    }

    /// The five rules, for one visibility and one membership.
    private static func allows(_ visibility: HistoryVisibility, membership: Membership?, joinedLater: Bool) -> Bool {
        if visibility == .worldReadable || membership == .join { return true }
        if visibility == .shared { return joinedLater }
        return visibility == .invited && membership == .invite
    }
}
