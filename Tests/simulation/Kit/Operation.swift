import Homeserver
import Matrix
import RoomEngine
import Store

/// The kinds of things that users do.
enum OperationKind: String, CaseIterable, Sendable {
    case create, message, topic, name, join, leave, invite, kick, ban, unban, knock, powerLevels, joinRules
    case historyVisibility, redact, profile, history
}

/// A room of the simulation.
struct SimulatedRoom: Sendable {
    let id: RoomID
    let version: RoomVersion
    /// How the trace calls it.
    let label: String
}

/// Something that a user does, with all the chance that it needs.
struct Operation: Sendable {
    let kind: OperationKind
    let number: Int
    let server: ServerName
    let room: SimulatedRoom?
    /// All users, to do something to one of them.
    let users: [UserID]
    /// All servers, to enter rooms through.
    let servers: [ServerName]
    /// All rooms, for rules that speak of others.
    let rooms: [SimulatedRoom]
    /// Versions for a new room.
    let version: RoomVersion
    let seed: UInt64
    /// Why an event must stay as it is, if it must.
    let mayRedactRules: Bool
}

/// What came of something that a user did.
struct OperationOutcome: Sendable {
    /// For the trace.
    var text: String
    /// The event that the server has acknowledged.
    var event: EventID?
    var room: SimulatedRoom?
    var newRoom: SimulatedRoom?
}

extension SimulatedProcess {
    /// Does what a user does.
    ///
    /// - Throws: What the user is told.
    func perform(_ operation: Operation) async throws -> OperationOutcome {
        var generator = SeededGenerator(seed: operation.seed)
        if operation.kind == .create { return try await create(operation, &generator) }
        guard let room = operation.room else { return OperationOutcome(text: "no room") }
        let user = try await actor(operation, in: room, &generator)
        let label = "\(operation.kind) \(user) \(room.label)"
        let requester = try await requester(user)
        do {
            let (event, detail) = try await perform(operation, room, requester, &generator)
            return OperationOutcome(
                text: "\(label)\(detail.map { " " + $0 } ?? "")\(event.map { " = \($0.short)" } ?? "")", event: event,
                room: room)
        } catch let error as MatrixError {
            return OperationOutcome(text: "\(label) ✗ \(error.status) \(error.message)")
        } catch {
            throw SimulationProblem("\(label): \(error)")
        }
    }

    /// Who does it: mostly somebody who can.
    private func actor(
        _ operation: Operation, in room: SimulatedRoom, _ generator: inout SeededGenerator
    ) async throws -> UserID {
        let own = operation.users.filter { $0.server == serverName }
        let anyone = generator.pick(own) ?? own[0]
        if generator.chance(0.1) { return anyone }
        var joined: [UserID] = []
        if let number = try await store.number(of: room.id) {
            for user in own {
                let number = (room: number, user: try await store.intern(user))
                let membership = try await store.read {
                    try $0.memberships.membership(of: number.user, in: number.room)?.membership
                }
                if membership == .join { joined.append(user) }
            }
        }
        switch operation.kind {
        case .join, .knock: return generator.pick(own.filter { !joined.contains($0) }) ?? anyone
        case .leave where generator.chance(0.3): return anyone
        default: return generator.pick(joined) ?? anyone
        }
    }

    private func perform(
        _ operation: Operation, _ room: SimulatedRoom, _ user: Requester, _ generator: inout SeededGenerator
    ) async throws -> (EventID?, String?) {
        let target = generator.pick(operation.users) ?? user.id
        switch operation.kind {
        case .create: return (nil, nil)
        case .message:
            let content: JSONValue = ["msgtype": "m.text", "body": .string("\(operation.number)")]
            return (
                try await rooms.send(
                    .message, content: content.json, transactionID: "\(operation.number)", to: room.id, by: user), nil
            )
        case .topic: return (try await set(.topic, ["topic": .string("\(operation.number)")], room, user), nil)
        case .name: return (try await set(.name, ["name": .string("\(operation.number)")], room, user), nil)
        case .join:
            let via = generator.chance(0.8) ? operation.servers.filter { $0 != serverName } : []
            try await rooms.join(room.id, via: generator.shuffled(via), by: user)
            return (try await membershipEvent(of: user.id, in: room, by: user.id), nil)
        case .leave:
            let wasInside = try await isInside(room)
            try await rooms.leave(room.id, by: user)
            return (wasInside ? try await membershipEvent(of: user.id, in: room, by: user.id) : nil, nil)
        case .knock:
            let via = operation.servers.filter { $0 != serverName }
            try await rooms.knock(on: room.id, via: generator.shuffled(via), by: user, reason: nil)
            return (nil, nil)
        case .invite:
            try await rooms.invite(target, to: room.id, by: user, reason: "\(operation.number)")
            return (try await membershipEvent(of: target, in: room, by: user.id), "\(target)")
        case .kick:
            try await rooms.kick(target, from: room.id, by: user, reason: "\(operation.number)")
            return (try await membershipEvent(of: target, in: room, by: user.id), "\(target)")
        case .ban:
            try await rooms.ban(target, from: room.id, by: user, reason: "\(operation.number)")
            return (try await membershipEvent(of: target, in: room, by: user.id), "\(target)")
        case .unban:
            try await rooms.unban(target, from: room.id, by: user, reason: "\(operation.number)")
            return (try await membershipEvent(of: target, in: room, by: user.id), "\(target)")
        case .powerLevels: return try await setPowerLevels(operation, room, user, target, &generator)
        case .joinRules: return try await setJoinRule(operation, room, user, &generator)
        case .historyVisibility:
            let value = generator.pick(["shared", "joined", "invited", "world_readable"]) ?? "shared"
            return (try await set(.historyVisibility, ["history_visibility": .string(value)], room, user), value)
        case .redact: return try await redact(operation, room, user, &generator)
        case .profile:
            let content: JSONValue = ["membership": "join", "displayname": .string("\(operation.number)")]
            return (
                try await rooms.setState(.member, key: user.id.string, content: content.json, in: room.id, by: user),
                nil
            )
        case .history:
            let page = try await rooms.messages(
                room.id, from: nil, to: nil, backward: true, limit: 1_000, filter: .all, by: user)
            return (nil, "\(page.events.count)")
        }
    }

    private func set(
        _ type: EventType, _ content: JSONValue, _ room: SimulatedRoom, _ user: Requester
    ) async throws -> EventID {
        try await rooms.setState(type, key: "", content: content.json, in: room.id, by: user)
    }

    private func isInside(_ room: SimulatedRoom) async throws -> Bool {
        guard let number = try await store.number(of: room.id) else { return false }
        return try await rooms.participates(in: number)
    }

    /// The membership that somebody has just been given, if it has not become another already.
    private func membershipEvent(
        of target: UserID, in room: SimulatedRoom, by sender: UserID
    ) async throws -> EventID? {
        guard let number = try await store.number(of: room.id), try await rooms.participates(in: number),
            let event = try await rooms.view(number).event(.member(target)), event.event.sender == sender
        else { return nil }
        return event.event.eventID
    }

    // MARK: Rules

    private func setPowerLevels(
        _ operation: Operation, _ room: SimulatedRoom, _ user: Requester, _ target: UserID,
        _ generator: inout SeededGenerator
    ) async throws -> (EventID?, String?) {
        let number = try await rooms.number(of: room.id)
        var content = try await rooms.view(number).event(StateKey(.powerLevels))?.event.content.value ?? [:]
        let level = generator.pick([0, 0, 50, 50, 99, 100]) ?? 0
        let detail: String
        if generator.chance(0.7) {
            if content["users"] == nil { content["users"] = [:] }
            content["users"]?[target.string] = .integer(Int64(level))
            detail = "\(target)=\(level)"
        } else if generator.chance(0.3) {
            if content["events"] == nil { content["events"] = [:] }
            let type = generator.pick(["m.room.topic", "m.room.name", "m.room.message"]) ?? "m.room.topic"
            let level = generator.pick([0, 50]) ?? 0
            content["events"]?[type] = .integer(Int64(level))
            detail = "\(type)=\(level)"
        } else {
            let property = generator.pick(["ban", "kick", "invite", "redact", "users_default", "state_default"]) ?? ""
            let level = property == "users_default" ? 0 : generator.pick([0, 50, 75]) ?? 50
            content[property] = .integer(Int64(level))
            detail = "\(property)=\(level)"
        }
        return (try await set(.powerLevels, content, room, user), detail)
    }

    private func setJoinRule(
        _ operation: Operation, _ room: SimulatedRoom, _ user: Requester, _ generator: inout SeededGenerator
    ) async throws -> (EventID?, String?) {
        var rules = ["public", "public", "public", "invite"]
        if room.version.knocking { rules.append("knock") }
        if room.version.restrictedJoins { rules += ["restricted", "restricted"] }
        if room.version.knockRestricted { rules.append("knock_restricted") }
        let rule = generator.pick(rules) ?? "public"
        var content: JSONValue = ["join_rule": .string(rule)]
        if rule.hasSuffix("restricted") {
            let allowed = operation.rooms.filter { $0.id != room.id }.map { other -> JSONValue in
                ["type": "m.room_membership", "room_id": .string(other.id.string)]
            }
            content["allow"] = .array(allowed)
        }
        return (try await set(.joinRules, content, room, user), rule)
    }

    private func redact(
        _ operation: Operation, _ room: SimulatedRoom, _ user: Requester, _ generator: inout SeededGenerator
    ) async throws -> (EventID?, String?) {
        let number = try await rooms.number(of: room.id)
        let recent = try await store.read { reader in
            try reader.events.timeline(
                number, after: StreamPosition(.min), through: StreamPosition(.max), limit: 30, newestFirst: true)
        }
        let rules: Set<EventType> = [.create, .powerLevels, .joinRules, .member]
        let targets = recent.filter { event in
            event.status == .accepted && (operation.mayRedactRules || !rules.contains(event.event.type))
        }
        guard let target = generator.pick(targets)?.event.eventID else { return (nil, "nothing") }
        let event = try await rooms.redact(
            target, content: JSON.emptyObject, transactionID: "\(operation.number)", in: room.id, by: user)
        return (event, target.short)
    }

    // MARK: Rooms

    private func create(
        _ operation: Operation, _ generator: inout SeededGenerator
    ) async throws -> OperationOutcome {
        let own = operation.users.filter { $0.server == serverName }
        let user = try await requester(generator.pick(own) ?? own[0])
        var room = NewRoom()
        room.version = operation.version
        room.preset = generator.pick([.publicChat, .publicChat, .publicChat, .privateChat, .trustedPrivateChat])
        if generator.chance(0.5) { room.invite = generator.pick(operation.users).map { [$0] } ?? [] }
        room.invite.removeAll { $0 == user.id }
        let label = "create \(user.id) \(operation.version) \(room.preset?.rawValue ?? "") \(room.invite)"
        do {
            let id = try await rooms.create(room, by: user)
            let new = SimulatedRoom(
                id: id, version: operation.version, label: "r\(operation.number)v\(operation.version.id)")
            return OperationOutcome(text: "\(label) = \(id)", newRoom: new)
        } catch let error as MatrixError {
            return OperationOutcome(text: "\(label) ✗ \(error.status) \(error.message)")
        }
    }
}

extension SeededGenerator {
    /// The same in another order.
    mutating func shuffled<T>(_ list: [T]) -> [T] { list.shuffled(using: &self) }
}
