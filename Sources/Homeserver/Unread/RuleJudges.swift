import Matrix
import RoomEngine
import Store

/// Judges events by users' push rules and the rooms' current states.
///
/// The number of members, the user's name and the power levels are those of the moment when a client asks, which is right after
/// the event for whoever follows the room.
public struct RuleJudges: NotificationJudges {
    private let rules: PushRulesService
    private let rooms: RoomService
    private let store: Store

    /// Judges by those rules in those rooms.
    public init(rules: PushRulesService, rooms: RoomService, store: Store) {
        self.rules = rules
        self.rooms = rooms
        self.store = store
    }

    private struct Judge: NotificationJudge {
        let rules: CompiledRules
        let memberCount: Int
        let powerLevels: PowerLevels?
        let displayName: String?
        let defaults: DefaultPushRules

        func judge(_ event: Event) -> Notification {
            let outcome = rules.evaluate(
                PushEvent(event, memberCount: memberCount, powerLevels: powerLevels, defaults: defaults),
                displayName: { displayName })
            return Notification(notifies: outcome.notifies, highlights: outcome.notifies && outcome.highlights)
        }
    }

    /// A judge that applies the user's rules to the room's events.
    public func judge(for user: UserNumber, in room: RoomNumber) async throws -> any NotificationJudge {
        let compiled = try await rules.compiledRules(of: user)
        let view = try await rooms.view(room)
        let member = try await view.event(.member(try await store.user(user)))
        return Judge(
            rules: compiled, memberCount: view.head.joinedCount, powerLevels: view.powerLevels,
            displayName: member?.event.content["displayname"]?.string, defaults: rules.defaults)
    }
}
