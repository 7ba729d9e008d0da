import Matrix
import RoomEngine
import Store

/// Loads what is needed to decide which events of a room somebody may see; ``Visibility`` decides.
///
/// [Room history visibility](https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility)
struct EventVisibility {
    let store: Store

    /// Those of `events`, all of one room, that the user may see, in the same order.
    ///
    /// - Parameter isJoined: Whether the user is known to be in the room now; if not, it is looked up.
    func visible(
        _ events: [StoredEvent], in room: RoomNumber, to user: UserNumber, id: UserID, isJoined: Bool = false
    ) async throws -> [StoredEvent] {
        guard !events.isEmpty else { return [] }
        let record = isJoined ? nil : try await store.read { try $0.memberships.membership(of: user, in: room) }
        let leftAt = try await end(of: record)
        let memberKey = try await store.number(of: .member(id))
        var rules = Rules(store: store, visibilityKey: try await store.number(of: StateKey(.historyVisibility)))
        var seen: [StoredEvent] = []
        for event in events where !store.lifetimes.hasEnded(event) {
            let isBeforeLeaving = leftAt.map { event.position ?? $0 < $0 } ?? false
            let joinedLater = isJoined || record?.membership == .join || isBeforeLeaving
            // Whoever is in the room may see what sticks, for as long as it does.
            if isJoined || record?.membership == .join, store.lifetimes.sticks(event) {
                seen.append(event)
                continue
            }
            let visibility = try await rules.visibility(before: event)
            // The usual case, in which nothing more has to be looked up.
            if visibility == .worldReadable || visibility == .shared && joinedLater {
                seen.append(event)
                continue
            }
            let member = try await rules.event(memberKey, before: event)
            let isVisible = Visibility.isVisible(
                event.event, to: id, visibility: visibility, membership: member.flatMap { Membership(of: $0) },
                joinedLater: joinedLater
            )
            if isVisible { seen.append(event) }
        }
        return try await Erasure(store: store).hiding(try await withoutIdleRedactions(seen), from: id)
    }

    /// Without redactions that redact nothing: what they name is unknown, of another room, or not theirs to redact. When it comes and
    /// they may, it comes redacted.
    ///
    /// [Handling redactions](https://spec.matrix.org/v1.19/rooms/v3/#handling-redactions)
    func withoutIdleRedactions(_ events: [StoredEvent]) async throws -> [StoredEvent] {
        // Before version 3 the authorization rules have seen to it.
        let targets = events.filter { $0.event.type == .redaction && !$0.event.version.redactionAuthRule }
            .compactMap(\.event.redacts)
        guard !targets.isEmpty else { return events }
        let found = try await store.events(Set(targets))
        return events.filter { event in
            guard event.event.type == .redaction, !event.event.version.redactionAuthRule,
                let target = event.event.redacts
            else { return true }
            return found[target].map { $0.room == event.room && $0.redactedBy != nil } ?? false
        }
    }

    /// When a user who is not in the room any more was last in it.
    private func end(of record: MembershipRecord?) async throws -> StreamPosition? {
        guard let record, record.membership != .join else { return nil }
        guard let leave = try await store.event(record.event), let replaced = leave.replaces,
            let before = try await store.event(replaced), Membership(of: before.event) == .join
        else { return nil }
        return record.position
    }

    /// Those of `events`, all of one room, that a server may be given, in the same order.
    ///
    /// A server may be given what any of its users may see.
    ///
    /// - Parameter takesPart: Whether the server takes part in the room now. One that does not may be given what everybody may see, and
    ///   what happened while its users were there.
    func visible(
        _ events: [StoredEvent], toServer server: ServerName, takesPart: Bool = true
    ) async throws -> [StoredEvent] {
        guard let room = events.first?.room else { return [] }
        var rules = Rules(store: store, visibilityKey: try await store.number(of: StateKey(.historyVisibility)))
        var seen: [StoredEvent] = []
        for event in events where !store.lifetimes.hasEnded(event) {
            if takesPart, store.lifetimes.sticks(event) {
                seen.append(event)
                continue
            }
            let visibility = try await rules.visibility(before: event)
            if takesPart {
                // Who was in the room matters only where history is hidden.
                let isHidden = visibility == .invited || visibility == .joined
                let memberships = isHidden ? try await rules.memberships(of: server, in: room, before: event) : []
                let isVisible = Visibility.isVisible(
                    event.event, toServer: server, visibility: visibility, memberships: memberships)
                if isVisible { seen.append(event) }
            } else if event.event.sender.isLocal(to: server) || visibility == .worldReadable {
                seen.append(event)
            } else if try await rules.memberships(of: server, in: room, before: event).contains(.join) {
                seen.append(event)
            }
        }
        return seen
    }

    /// What states say, each looked up once.
    private struct Rules {
        let store: Store
        let visibilityKey: StateKeyNumber?
        private var visibilities: [EventNumber: HistoryVisibility] = [:]
        /// The state looked at last: one message after the other has the same.
        private var lastState: (number: StateNumber, map: StateMap)?
        /// The users of a server that a room knows.
        private var users: [UserID]?
        private var members: [StateNumber: [(user: UserID, membership: Membership)]] = [:]

        init(store: Store, visibilityKey: StateKeyNumber?) {
            self.store = store
            self.visibilityKey = visibilityKey
        }

        /// The event of a key in the state just before an event.
        mutating func number(_ key: StateKeyNumber?, before event: StoredEvent) async throws -> EventNumber? {
            guard let key else { return nil }
            if event.stateKey == key { return event.replaces }
            guard let state = event.state else { return nil }
            if let lastState, lastState.number == state { return lastState.map[key] }
            let map = try await store.state(state)
            lastState = (state, map)
            return map[key]
        }

        mutating func event(_ key: StateKeyNumber?, before event: StoredEvent) async throws -> Event? {
            try await number(key, before: event).asyncMap { try await store.event($0)?.event } ?? nil
        }

        mutating func visibility(before event: StoredEvent) async throws -> HistoryVisibility {
            guard let number = try await number(visibilityKey, before: event) else { return .shared }
            if let known = visibilities[number] { return known }
            let visibility = HistoryVisibility(of: try await store.event(number)?.event)
            visibilities[number] = visibility
            return visibility
        }

        mutating func memberships(
            of server: ServerName, in room: RoomNumber, before event: StoredEvent
        ) async throws -> [Membership] {
            guard let state = event.state else { return [] }
            var found = members[state]
            if found == nil {
                let loaded = try await load(state, server, room)
                members[state] = loaded
                found = loaded
            }
            // The state is the one after the event.
            var memberships = (found ?? []).filter { event.event.state != .member($0.user) }.map(\.membership)
            if event.event.type == .member, let user = event.event.stateKey.flatMap({ UserID($0.string) }),
                user.isLocal(to: server),
                let before = try await event.replaces.asyncMap({ try await store.event($0)?.event }) ?? nil,
                let membership = Membership(of: before)
            {
                memberships.append(membership)
            }
            return memberships
        }

        private mutating func load(
            _ state: StateNumber, _ server: ServerName, _ room: RoomNumber
        ) async throws -> [(UserID, Membership)] {
            if users == nil {
                users = try await store.read { reader in
                    try reader.serverMembers.users(of: [server], in: room).map { try reader.identifiers.user($0.user) }
                }
            }
            let candidates = users ?? []
            let map = try await store.state(state)
            return try await store.read { reader in
                var found: [(UserID, Membership)] = []
                for user in candidates {
                    guard let key = try reader.identifiers.number(of: .member(user)), let number = map[key],
                        let event = try reader.events.event(number), let membership = Membership(of: event.event)
                    else { continue }
                    found.append((user, membership))
                }
                return found
            }
        }
    }
}

extension Optional {
    func asyncMap<T>(_ transform: (Wrapped) async throws -> T) async rethrows -> T? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
