import Matrix
import Store

/// What an event does to a user who has not read it.
public struct Notification: Sendable, Equatable {
    /// Whether it notifies.
    public var notifies: Bool
    /// Whether it is highlighted.
    public var highlights: Bool

    /// An effect.
    public init(notifies: Bool, highlights: Bool) {
        self.notifies = notifies
        self.highlights = highlights
    }

    /// None.
    public static let none = Notification(notifies: false, highlights: false)
}

/// Judges events of one room for one user by their push rules, all of which it has at hand.
public protocol NotificationJudge: Sendable {
    /// What an event by someone else does to the user.
    func judge(_ event: Event) -> Notification
}

/// Knows the push rules of users.
public protocol NotificationJudges: Sendable {
    /// A judge for one user and the present state of one room.
    func judge(for user: UserNumber, in room: RoomNumber) async throws -> any NotificationJudge
}
