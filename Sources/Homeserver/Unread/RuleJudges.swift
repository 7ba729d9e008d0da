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

    /// Applies a user's rules to the events of a room as it is.
    struct OutcomeJudge: NotificationJudge {
        fileprivate let rules: CompiledRules
        fileprivate let memberCount: Int
        fileprivate let powerLevels: PowerLevels?
        fileprivate let displayName: String?
        fileprivate let defaults: DefaultPushRules
        /// The threads of the room that the user follows.
        fileprivate var followed: Set<EventID> = []

        /// What the rules make of an event by someone else.
        func outcome(of event: Event) -> PushOutcome {
            rules.evaluate(
                PushEvent(event, memberCount: memberCount, powerLevels: powerLevels, defaults: defaults),
                follows: { followed.contains($0) }, displayName: { displayName })
        }

        func judge(_ event: Event) -> Notification {
            let outcome = outcome(of: event)
            return Notification(notifies: outcome.notifies, highlights: outcome.notifies && outcome.highlights)
        }
    }

    /// A judge that applies the user's rules to the room's events.
    public func judge(for user: UserNumber, in room: RoomNumber) async throws -> any NotificationJudge {
        try await outcomeJudge(for: user, in: room)
    }

    /// A judge that says what is to be done too.
    func outcomeJudge(for user: UserNumber, in room: RoomNumber) async throws -> OutcomeJudge {
        let compiled = try await rules.compiledRules(of: user)
        let view = try await rooms.view(room)
        let member = try await view.event(.member(try await store.user(user)))
        var judge = OutcomeJudge(
            rules: compiled, memberCount: view.head.joinedCount, powerLevels: view.powerLevels,
            displayName: member?.event.content["displayname"]?.string, defaults: rules.defaults)
        if rules.defaults.followsThreads {
            judge.followed = try await store.read { try $0.threadSubscriptions.followed(by: user, in: room) }
        }
        return judge
    }

    /// A judge of events from rooms that this server is not in, such as invitations into them.
    func outcomeJudge(for user: UserNumber) async throws -> OutcomeJudge {
        OutcomeJudge(
            rules: try await rules.compiledRules(of: user), memberCount: 0, powerLevels: nil, displayName: nil,
            defaults: rules.defaults)
    }
}
