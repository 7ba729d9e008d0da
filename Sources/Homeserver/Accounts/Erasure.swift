import Matrix
import Store

/// What those who came later see of users who asked to be forgotten: that something was said, and no more.
///
/// [Deactivation with `erase`](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate).
struct Erasure {
    let store: Store

    /// `events`, all of one room, with what erased users said redacted unless `viewer` was in the room when they said it.
    ///
    /// State stays what it is, so that rooms keep their names and rules; only the erased users' own names and pictures go.
    func hiding(_ events: [StoredEvent], from viewer: UserID) async throws -> [StoredEvent] {
        let erased = store.erasedUsers
        guard !erased.isEmpty, events.contains(where: { erased.contains($0.sender) }) else { return events }
        let memberKey = try await store.number(of: .member(viewer))
        var shown: [StoredEvent] = []
        for event in events {
            if try await isHidden(event, from: viewer, memberKey) {
                shown.append(event.showing(try event.event.redacted()))
            } else {
                shown.append(event)
            }
        }
        return shown
    }

    private func isHidden(_ event: StoredEvent, from viewer: UserID, _ memberKey: StateKeyNumber?) async throws -> Bool
    {
        guard store.erasedUsers.contains(event.sender), event.event.sender != viewer,
            !event.event.isState || event.event.state == .member(event.event.sender)
        else { return false }
        guard let memberKey, let number = event.state else { return true }
        guard let member = try await store.state(number)[memberKey] else { return true }
        return try await store.event(member).flatMap { Membership(of: $0.event) } != .join
    }
}
