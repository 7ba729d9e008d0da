import Homeserver
import Logging
import Matrix
import Store

/// Sorts the events of a transaction: those that are taken over, and why the others are not.
///
/// [Checks performed on receipt of a PDU](https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu),
/// numbers 1 to 3, and the rooms' access control lists.
struct EventIntake: Sendable {
    let rooms: RoomService
    let store: Store
    let checker: EventChecker
    let logger: Logger

    /// The events of a transaction, sorted.
    struct Sorted: Sendable {
        /// Those to take over.
        var accepted: [(event: Event, room: RoomNumber)] = []
        /// All that have a name, each with what is wrong with it.
        var results: [(id: EventID, error: String?)] = []
    }

    /// A room that events say they are of.
    private struct Room {
        let number: RoomNumber
        let version: RoomVersion
        /// Why nothing is taken for it.
        var refusal: String?
    }

    private static let unknownRoom = "This server is not in that room"

    /// Sorts events.
    func sort(_ pdus: [JSON], from origin: ServerName) async throws -> Sorted {
        var sorted = Sorted()
        let named = pdus.map { (json: $0, room: Self.room(of: $0)) }
        let known = try await rooms(Set(named.compactMap(\.room)), for: origin)
        var events: [(event: Event, room: RoomNumber)] = []
        var seen: Set<EventID> = []
        for (json, id) in named {
            guard let id, let room = known[id] else {
                // Which version the room has is not known; that of most is a good guess at what its servers call the event.
                refuse(EventID(claimedBy: json, version: Self.guessedVersion(json)), Self.unknownRoom, &sorted, origin)
                continue
            }
            if let refusal = room.refusal {
                if refusal == Self.unknownRoom, let event = try? Event(json, version: room.version),
                    event.roomID == id, event.type == .member,
                    case .success(let checked) = await checker.check(event), try await rooms.takeWithdrawal(checked)
                {
                    sorted.results.append((event.eventID, nil))
                    continue
                }
                refuse(EventID(claimedBy: json, version: room.version), refusal, &sorted, origin)
                continue
            }
            do {
                let event = try Event(json, version: room.version)
                guard event.roomID == id else { throw EventError.invalid(.roomID) }
                if seen.insert(event.eventID).inserted { events.append((event, room.number)) }
            } catch {
                refuse(
                    EventID(claimedBy: json, version: room.version), "This is no valid event: \(error)", &sorted,
                    origin)
            }
        }
        try await check(events, &sorted, origin)
        return sorted
    }

    /// Checks what is not known yet.
    private func check(
        _ events: [(event: Event, room: RoomNumber)], _ sorted: inout Sorted, _ origin: ServerName
    ) async throws {
        let known = try await store.events(events.map(\.event.eventID))
        var new: [(event: Event, room: RoomNumber)] = []
        for item in events {
            if let stored = known[item.event.eventID], stored.room == item.room, stored.isInGraph {
                sorted.results.append((item.event.eventID, nil))
            } else {
                new.append(item)
            }
        }
        for (item, outcome) in zip(new, await checker.verify(new.map { .success($0.event) })) {
            switch outcome {
            case .success(let event):
                sorted.accepted.append((event, item.room))
                sorted.results.append((event.eventID, nil))
            case .failure(let flaw):
                refuse(item.event.eventID, Self.explanation(of: flaw), &sorted, origin)
            }
        }
    }

    private func refuse(_ id: EventID?, _ reason: String, _ sorted: inout Sorted, _ origin: ServerName) {
        logger.info(
            "an event is refused",
            metadata: ["event": "\(id?.string ?? "-")", "origin": "\(origin)", "why": "\(reason)"])
        if let id { sorted.results.append((id, reason)) }
    }

    // MARK: Rooms

    /// The room that an event says it is of. A creation event may be what its room is named after.
    private static func room(of json: JSON) -> RoomID? {
        if let id = json["room_id"] { return id.string.flatMap { RoomID($0) } }
        guard json["type"]?.string == EventType.create.string,
            let version = RoomVersion(id: json["content"]?["room_version"]?.string ?? "1"), version.roomIDIsCreateHash
        else { return nil }
        return EventID(claimedBy: json, version: version).map { RoomID(createEvent: $0) }
    }

    private static func guessedVersion(_ json: JSON) -> RoomVersion { json["event_id"] == nil ? .v12 : .v1 }

    /// The rooms that this server knows, and whether events of a server are taken for them.
    private func rooms(_ ids: Set<RoomID>, for origin: ServerName) async throws -> [RoomID: Room] {
        guard !ids.isEmpty else { return [:] }
        var found = try await store.read { reader in
            var found: [RoomID: Room] = [:]
            for id in ids {
                guard let number = try reader.identifiers.number(of: id), let record = try reader.rooms.room(number)
                else { continue }
                found[id] = Room(number: number, version: record.version)
            }
            return found
        }
        let ours = try await rooms.participation.since(found.values.map(\.number))
        for (id, room) in found {
            if rooms.isEntering(room.number) { continue }
            if ours[room.number] == nil {
                found[id]?.refusal = Self.unknownRoom
            } else if try await !rooms.permits(origin, in: room.number) {
                found[id]?.refusal = "\(origin) may not take part in this room"
            }
        }
        return found
    }

    private static func explanation(of flaw: EventFlaw) -> String {
        switch flaw {
        case .malformed(let error): "This is no valid event: \(error)"
        case .otherRoom: "This is an event of another room"
        case .unsigned(by: nil): "It cannot be told who must have signed this event"
        case .unsigned(by: let server?): "The event has no valid signature of \(server)"
        }
    }
}
