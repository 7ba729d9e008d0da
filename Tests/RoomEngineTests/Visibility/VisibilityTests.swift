import Matrix
import RoomEngine
import Testing

@Suite struct VisibilityTests {
    let room = RoomFixture(.v11)
    static let memberships: [Membership?] = [nil, .invite, .join, .leave, .ban, .knock]

    func isVisible(
        _ event: Event, _ visibility: HistoryVisibility, _ membership: Membership?, joinedLater: Bool = false
    ) -> Bool {
        guard let dave = UserID(Who.dave) else { return false }
        return Visibility.isVisible(
            event, to: dave, visibility: visibility, membership: membership, joinedLater: joinedLater)
    }

    /// The table of the specification: visibility × membership × whether the user joined later.
    @Test func theFiveRules() {
        let message = room.event("m", .message, by: Who.alice)
        for membership in Self.memberships {
            for later in [false, true] {
                let inside = membership == .join
                #expect(isVisible(message, .worldReadable, membership, joinedLater: later))
                #expect(isVisible(message, .shared, membership, joinedLater: later) == (inside || later))
                #expect(
                    isVisible(message, .invited, membership, joinedLater: later) == (inside || membership == .invite))
                #expect(isVisible(message, .joined, membership, joinedLater: later) == inside)
            }
        }
    }

    /// A change of the visibility is seen by whoever either side of it lets see it.
    @Test func changesOfVisibility() {
        func change(to visibility: HistoryVisibility) -> Event {
            room.event(
                "v", .historyVisibility, by: Who.alice, key: "", ["history_visibility": .string(visibility.rawValue)])
        }
        for before in HistoryVisibility.allCases {
            for after in HistoryVisibility.allCases {
                let message = room.event("m", .message, by: Who.alice)
                for membership in Self.memberships {
                    for later in [false, true] {
                        let either =
                            isVisible(message, before, membership, joinedLater: later)
                            || isVisible(message, after, membership, joinedLater: later)
                        #expect(isVisible(change(to: after), before, membership, joinedLater: later) == either)
                    }
                }
            }
        }
        // With another state key it is an event like any other.
        let other = room.event(
            "v", .historyVisibility, by: Who.alice, key: "x", ["history_visibility": "world_readable"])
        #expect(!isVisible(other, .joined, nil))
    }

    /// One's own membership is seen if it may be seen before or after it.
    @Test func ownMemberships() {
        let join = room.member(Who.dave, "join")
        let leave = room.member(Who.dave, "leave")
        let kick = room.member(Who.dave, "leave", by: Who.alice, id: "kick")
        let invite = room.member(Who.dave, "invite", by: Who.alice, id: "invite")
        #expect(isVisible(join, .joined, nil))
        #expect(isVisible(join, .joined, .invite))
        #expect(isVisible(leave, .joined, .join))
        #expect(isVisible(kick, .joined, .join))
        #expect(!isVisible(leave, .joined, .invite))
        #expect(isVisible(leave, .invited, .invite))
        #expect(isVisible(invite, .invited, nil))
        #expect(!isVisible(invite, .joined, nil))
        // The membership of another is like any other event.
        #expect(!isVisible(room.member(Who.carol, "join"), .joined, nil))
    }

    @Test func whatIsNotUnderstoodIsShared() {
        #expect(HistoryVisibility(of: nil) == .shared)
        for value in ["", "JOINED", "public", 1, .null] as [JSONValue] {
            let event = room.event("v", .historyVisibility, by: Who.alice, key: "", ["history_visibility": value])
            #expect(HistoryVisibility(of: event) == .shared)
        }
        let event = room.event(
            "v", .historyVisibility, by: Who.alice, key: "", ["history_visibility": "world_readable"])
        #expect(HistoryVisibility(of: event) == .worldReadable)
    }

    @Test func servers() throws {
        let three = try #require(ServerName("three.example"))
        func isVisible(_ event: Event, _ visibility: HistoryVisibility, _ memberships: [Membership]) -> Bool {
            Visibility.isVisible(event, toServer: three, visibility: visibility, memberships: memberships)
        }
        let message = room.event("m", .message, by: Who.alice)
        for memberships in [[], [.leave], [.invite], [.join], [.leave, .join]] as [[Membership]] {
            let joined = memberships.contains(.join)
            #expect(isVisible(message, .worldReadable, memberships))
            #expect(isVisible(message, .shared, memberships))
            #expect(isVisible(message, .invited, memberships) == (joined || memberships.contains(.invite)))
            #expect(isVisible(message, .joined, memberships) == joined)
        }
        #expect(isVisible(room.event("m", .message, by: Who.dave), .joined, []))
        #expect(isVisible(room.member(Who.dave, "invite", by: Who.alice), .invited, []))
        let opened = room.event("v", .historyVisibility, by: Who.alice, key: "", ["history_visibility": "shared"])
        #expect(isVisible(opened, .joined, []))
    }
}
