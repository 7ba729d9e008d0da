import Matrix
import RoomEngine
import Store

/// An event that a server has acknowledged.
struct Acknowledgement: Sendable {
    let room: SimulatedRoom
    let event: EventID
    let server: ServerName
}

/// What must hold of one room when everything has come to rest.
struct RoomChecks {
    let room: SimulatedRoom
    let copies: [RoomCopy]
    private let replay: ReplayedRoom
    private let union: [EventID: Event]
    /// The joins by which servers have last come in through others.
    private let entries: [ServerName: EventID]
    private(set) var problems: [String] = []

    /// Those of servers that are in the room.
    var inside: [RoomCopy] { copies.filter(\.isInside) }

    init(_ room: SimulatedRoom, _ copies: [RoomCopy], entries: [ServerName: EventID]) {
        self.room = room
        self.entries = entries
        self.copies = copies
        var union: [EventID: Event] = [:]
        for copy in copies {
            for (id, entry) in copy.events where entry.stored.isInGraph {
                if union[id] == nil || entry.stored.redactedBy == nil { union[id] = entry.stored.event }
            }
        }
        self.union = union
        replay = ReplayedRoom(union, version: room.version)
    }

    private mutating func report(_ problem: String) { problems.append("\(room.label): \(problem)") }

    /// What must hold as soon as nothing is under way any more.
    mutating func checkAtRest(_ acknowledged: [Acknowledgement]) {
        for copy in copies {
            checkGraph(of: copy)
            checkTimeline(of: copy)
            if copy.isInside {
                checkState(of: copy)
                checkMemberships(of: copy)
            }
        }
        for acknowledgement in acknowledged where acknowledgement.room.id == room.id { check(acknowledgement) }
    }

    /// What must hold when a last message of each server has arrived everywhere.
    mutating func checkConvergence() {
        for (index, left) in inside.enumerated() {
            for right in inside.dropFirst(index + 1) { compare(left, right) }
        }
        for copy in inside {
            for (user, member) in copy.memberships where member.membership == .join {
                guard let other = copies.first(where: { $0.server == user.server }), !other.isInside else { continue }
                report("\(user) is in the room at \(copy.server), and \(other.server) is not in it")
            }
        }
    }

    /// Two servers that take each other for part of the room have come to the same.
    ///
    /// They need not where one of them believes that the other is out. Whoever leaves or is put out, and comes back through a server
    /// that has not heard of it, is in for some and out for others, who let none of their events pass: such a room falls apart.
    private mutating func compare(_ left: RoomCopy, _ right: RoomCopy) {
        let (leftSees, rightSees) = (sees(left, right.server), sees(right, left.server))
        guard leftSees && rightSees else {
            let (blind, other) = leftSees ? (right, left) : (left, right)
            let isExplained =
                hasSoftFailed(left) || hasSoftFailed(right) || cameBackUnheard(other, blind)
                || wasResolvedOut(other, blind)
            if !isExplained {
                report("\(left.server) and \(right.server) are in the room, and for \(blind.server) the other is not")
            }
            return
        }
        if ends(of: left, for: right) != ends(of: right, for: left) {
            report(
                "the ends are \(short(left.extremities)) at \(left.server) and \(short(right.extremities)) at "
                    + "\(right.server)")
        }
        if let difference = difference(left.state, right.state) {
            report("the states of \(left.server) and \(right.server) differ in \(difference)")
        }
    }

    /// The ends at a server without those that the other has let pass, as no more allowed when they came, which nobody there follows;
    /// and without what comes before such an end of the other, which it takes the place of.
    private func ends(of copy: RoomCopy, for other: RoomCopy) -> Set<EventID> {
        let passedThere = copy.extremities.filter { other.events[$0]?.stored.status == .softFailed }
        let passedHere = other.extremities.filter { copy.events[$0]?.stored.status == .softFailed }
        return copy.extremities.subtracting(passedThere).subtracting(ancestors(of: passedHere))
    }

    /// Whether the users of a server, who are in the room for themselves, have come in while others put them out, neither hearing of the
    /// other.
    private func cameBackUnheard(_ copy: RoomCopy, _ other: RoomCopy) -> Bool {
        copy.memberships.contains { user, member in
            guard user.server == copy.server, member.membership == .join, let out = other.memberships[user] else {
                return false
            }
            return !ancestors(of: [member.event]).contains(out.event)
                && !ancestors(of: [out.event]).contains(member.event)
        }
    }

    /// Whether the users of a server, who are in the room for themselves, have come in for the other too, whose state says something else
    /// since it knows of another branch. It is not sent there any more, and so the server does not hear of it.
    private func wasResolvedOut(_ copy: RoomCopy, _ other: RoomCopy) -> Bool {
        copy.memberships.contains { user, member in
            user.server == copy.server && member.membership == .join && other.memberships[user]?.event != member.event
                && other.events[member.event].map { $0.stored.isInGraph && $0.stored.status == .accepted } == true
        }
    }

    /// Whether a server takes another for part of the room.
    private func sees(_ copy: RoomCopy, _ server: ServerName) -> Bool {
        copy.memberships.contains { $0.key.server == server && $0.value.membership == .join }
    }

    private func hasSoftFailed(_ copy: RoomCopy) -> Bool {
        copy.events.contains { $0.value.stored.status == .softFailed }
    }

    // MARK: Parts

    /// Each event's status and the state after it are what the engine alone makes of the graph.
    private mutating func checkGraph(of copy: RoomCopy) {
        for (id, entry) in copy.graph.sorted(by: { $0.key < $1.key }) {
            guard let decision = replay.decisions[id] else {
                report("\(id.short) at \(copy.server): something before it is at no server")
                continue
            }
            let isRejected = entry.stored.status == .rejected
            if isRejected != decision.isRejected, !lacksTarget(entry.stored.event) {
                report("\(id.short) is \(entry.stored.status) at \(copy.server), and must be: \(decision.verdict)")
            }
            if let state = entry.stateAfter, let difference = difference(decision.stateAfter, state) {
                report("the state after \(id.short) at \(copy.server) is not that of the graph: \(difference)")
            }
            if entry.stored.status == .outlier { report("\(id.short) at \(copy.server) is an outlier with a state") }
            for before in entry.stored.event.prevEvents {
                let isThere = copy.events[before]?.stored.isInGraph ?? false
                let isNoted = copy.backwardExtremities.contains(before)
                if isThere && isNoted { report("\(before.short) is noted as missing at \(copy.server), and there") }
                if !isThere && !isNoted && !isRejected {
                    report("\(before.short) is missing at \(copy.server) without a note")
                }
            }
        }
        for id in copy.backwardExtremities where copy.events[id]?.stored.isInGraph == true {
            report("\(id.short) is noted as missing at \(copy.server), and there")
        }
    }

    /// Whether an event is a redaction that this server has been given redacted, since it may not see it: what it redacts is not said
    /// then, and where that decides whether it is allowed, as in the first two versions of rooms, it is not allowed.
    private func lacksTarget(_ event: Event) -> Bool {
        room.version.redactionAuthRule && event.type == .redaction && event.redacts == nil
    }

    /// Each accepted event is in the timeline once and announced once.
    private mutating func checkTimeline(of copy: RoomCopy) {
        var places: [StreamPosition: EventID] = [:]
        for (id, entry) in copy.events {
            if let position = entry.stored.position {
                if let other = places.updateValue(id, forKey: position) {
                    report("\(id.short) and \(other.short) have the same place at \(copy.server)")
                }
            }
            // What a user was told before their server came in, such as an invitation, has been announced for that.
            let isOwnMembership =
                entry.stored.event.type == .member
                && entry.stored.event.stateKey.flatMap { UserID($0.string) }?.server == copy.server
            let announced = (copy.announcements[id] ?? []).filter { !isOwnMembership || $0 == entry.stored.position }
            if announced.count > 1 { report("\(id.short) is announced \(announced.count) times at \(copy.server)") }
            let isVisible = entry.stored.status == .accepted
            if isVisible, entry.stored.position == nil { report("\(id.short) has no place at \(copy.server)") }
            if let position = entry.stored.position, position.rawValue > 0, announced != [position] {
                report("\(id.short) stands at \(position) at \(copy.server) and is announced at \(announced)")
            }
            if entry.stored.status == .rejected || entry.stored.status == .softFailed, !announced.isEmpty {
                report("\(id.short) is \(entry.stored.status) at \(copy.server) and announced")
            }
        }
    }

    /// The current state is where the ends meet, and everything in it is allowed.
    private mutating func checkState(of copy: RoomCopy) {
        if copy.extremities.isEmpty { report("no ends at \(copy.server)") }
        if let state = replay.state(at: copy.extremities) {
            if let difference = difference(state, copy.state) {
                report("the current state at \(copy.server) is not that of its ends: \(difference)")
            }
        } else {
            report("the ends at \(copy.server) are not in the graph")
        }
        for (key, id) in copy.state.sorted(by: { $0.value < $1.value }) {
            guard let entry = copy.events[id] else {
                report("\(id.short), \(key) at \(copy.server), is not there")
                continue
            }
            if entry.stored.event.state != key { report("\(id.short) at \(copy.server) stands under \(key)") }
            let verdict = Admission.verdictByAuthEvents(on: entry.stored.event) { other in
                guard let known = copy.events[other]?.stored else { return nil }
                return known.status == .rejected ? .rejected(known.event) : .accepted(known.event)
            }
            if let verdict { report("\(id.short), \(key), in the state of \(copy.server): \(verdict)") }
        }
        let ends = copy.extremities.compactMap { copy.events[$0]?.stored }
        for end in ends where end.status != .accepted {
            report("\(end.event.eventID.short), an end at \(copy.server), is \(end.status)")
        }
    }

    /// The table of memberships and the counts are those of the state.
    private mutating func checkMemberships(of copy: RoomCopy) {
        var members: [UserID: EventID] = [:]
        var counts: [Membership: Int] = [:]
        for (key, id) in copy.state where key.type == .member {
            guard let user = UserID(key.key.string), let event = copy.events[id]?.stored.event,
                let membership = Membership(of: event)
            else { continue }
            members[user] = id
            counts[membership, default: 0] += 1
            if copy.memberships[user]?.membership != membership || copy.memberships[user]?.event != id {
                let noted = copy.memberships[user].map { "\($0.membership) \($0.event.short)" } ?? "nothing"
                report("\(user) is \(membership) by \(id.short) at \(copy.server), and noted is \(noted)")
            }
        }
        for user in copy.memberships.keys.sorted() where members[user] == nil {
            report("\(user) is noted at \(copy.server), and not in the state")
        }
        if copy.joinedCount != counts[.join] ?? 0 || copy.invitedCount != counts[.invite] ?? 0 {
            report(
                "\(copy.server) counts \(copy.joinedCount) joined and \(copy.invitedCount) invited, and the state "
                    + "\(counts[.join] ?? 0) and \(counts[.invite] ?? 0)")
        }
    }

    /// What has been acknowledged is there, and at all servers that were in the room then and have been since.
    private mutating func check(_ acknowledgement: Acknowledgement) {
        let id = acknowledgement.event
        let home = copies.first { $0.server == acknowledgement.server }
        guard let home, let own = home.events[id] else {
            return report("\(id.short), which \(acknowledgement.server) has acknowledged, is lost there")
        }
        // Joining again is answered with the membership that is there: perhaps one from before this server came in.
        guard own.stored.status == .accepted || own.stored.status == .outlier else {
            return report("\(id.short), which \(acknowledgement.server) has acknowledged, is \(own.stored.status)")
        }
        let present = Set(
            (own.stateAfter ?? [:]).compactMap { key, member -> ServerName? in
                guard key.type == .member, let event = union[member], Membership(of: event) == .join else { return nil }
                return UserID(key.key.string)?.server
            })
        for copy in inside where present.contains(copy.server) && copy.events[id]?.stored.isInGraph != true {
            // Who has come in since may not have been told.
            guard let entry = entries[copy.server] else {
                report("\(id.short), which \(acknowledgement.server) has acknowledged, is not at \(copy.server)")
                continue
            }
            // Nor is a server told that is out by now for who would tell it: what it would need to see why is not for it any more.
            if ancestors(of: [id]).contains(entry), !(wasResolvedOut(copy, home) && !sees(home, copy.server)) {
                report(
                    "\(id.short), which \(acknowledgement.server) has acknowledged, is not at \(copy.server), "
                        + "which was in the room")
            }
        }
    }

    private func ancestors(of start: Set<EventID>) -> Set<EventID> {
        var seen = start
        var open = Array(start)
        while let next = open.popLast() {
            for before in union[next]?.prevEvents ?? [] where seen.insert(before).inserted { open.append(before) }
        }
        return seen
    }

    private func short(_ ids: Set<EventID>) -> String { "\(ids.sorted().map(\.short))" }

    private func difference(_ left: [StateKey: EventID], _ right: [StateKey: EventID]) -> String? {
        let keys = Set(left.keys).union(right.keys).filter { left[$0] != right[$0] }.sorted()
        guard let key = keys.first else { return nil }
        let rest = keys.count > 1 ? " and \(keys.count - 1) more" : ""
        return "\(key): \(left[key]?.short ?? "nothing") and \(right[key]?.short ?? "nothing")\(rest)"
    }
}
