import Matrix
import RoomEngine
import Store

extension RoomService {
    /// State that a room's successor takes over.
    ///
    /// [Server behavior](https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-18)
    private static let inherited: [EventType] = [
        .joinRules, .name, .topic, .avatar, .guestAccess, .historyVisibility, .encryption, .serverACL,
        "m.room.policy", "m.room.retention", "m.room.related_groups",
    ]

    /// Replaces a room by one of another version.
    ///
    /// [POST /rooms/{roomId}/upgrade](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidupgrade)
    ///
    /// - Parameter additionalCreators: More creators of the new room, in versions that know them.
    /// - Returns: The new room.
    public func upgrade(
        _ room: RoomID, to version: RoomVersion, additionalCreators: [UserID], by user: Requester
    ) async throws -> RoomID {
        let number = try await number(of: room)
        try await awaitCompletion(of: number)
        let old = try await view(number)
        guard try await old.membership(of: user.id) == .join, let levels = old.powerLevels,
            levels.may(user.id, send: .tombstone, isState: true)
        else { throw MatrixError.forbidden("You may not upgrade this room") }
        if store.shadowBannedUsers.contains(user.id),
            let room = RoomID("!\(services.randomness.text(18)):\(serverName)")
        {
            return room
        }

        let events = try await old.allEvents()
        let record = try await store.read { try $0.rooms.room(number) }
        let id = version.roomIDIsCreateHash ? nil : RoomID("!\(services.randomness.text(18)):\(serverName)")
        // A room that is named after its creation event comes before the tombstone that names it; any other comes after, and names
        // the tombstone.
        var tombstone: EventID?
        if let id { tombstone = try await submit(tombstoneDraft(id, by: user), to: number).id }
        let drafts = try await successor(of: room, tombstone, old, events, levels, version, additionalCreators, user)
        let newNumber = RoomNumber(try await services.eventNumbers.next().rawValue)
        let lane = RoomLane(
            number: newNumber, services: services, head: RoomHead(new: newNumber, id: id, version: version))
        let aliases = aliases
        let wasPublished = record?.isPublished ?? false
        let sent = try await lane.send(
            { _ in drafts },
            alongside: { writer, new in
                try aliases.move(from: number, to: new, in: writer)
                try RoomSuccession().copy(of: user.number, from: number, to: new, in: writer)
                if wasPublished {
                    try writer.rooms.setPublished(new, true)
                    try writer.rooms.setPublished(number, false)
                }
            }
        )
        guard let created = sent.first?.event else { throw MatrixError.internalError }
        add(lane)
        if id == nil { _ = try await submit(tombstoneDraft(created.event.roomID, by: user), to: number) }
        try await close(number, by: user)
        return created.event.roomID
    }

    private func tombstoneDraft(_ successor: RoomID, by user: Requester) -> EventDraft {
        EventDraft(
            sender: user.id, state: .tombstone,
            content: ["body": "This room has been replaced", "replacement_room": .string(successor.string)]
        )
    }

    private func successor(
        of room: RoomID, _ tombstone: EventID?, _ old: RoomView, _ events: [StoredEvent], _ levels: PowerLevels,
        _ version: RoomVersion,
        _ additionalCreators: [UserID], _ user: Requester
    ) async throws -> [EventDraft] {
        var drafts: [EventDraft] = []
        func add(_ type: EventType, _ content: JSONValue, key: String = "") {
            drafts.append(EventDraft(sender: user.id, state: type, key: key, content: content))
        }
        var creation = old.head.creation?.event.content.value ?? [:]
        creation["room_version"] = .string(version.id)
        creation["creator"] = version.implicitCreator ? nil : .string(user.id.string)
        var predecessor: JSONValue = ["room_id": .string(room.string)]
        if let last = tombstone ?? old.head.extremities.last?.id { predecessor["event_id"] = .string(last.string) }
        creation["predecessor"] = predecessor
        creation["additional_creators"] = nil
        if version.additionalCreators, !additionalCreators.isEmpty {
            creation["additional_creators"] = .array(additionalCreators.map { .string($0.string) })
        }
        add(.create, creation)
        add(.member, try await memberContent(user.id, .join), key: user.id.string)

        var content = events.first { $0.event.state == StateKey(.powerLevels) }?.event.content.value ?? [:]
        if version.privilegedCreators {
            // Creators stand above all levels and must not be listed.
            for creator in [user.id] + additionalCreators { content["users"]?[creator.string] = nil }
            content["events"]?["m.room.tombstone"] = 150
        } else if let creation = old.head.creation, !creation.privilegedCreators.isEmpty {
            for creator in creation.privilegedCreators {
                if content["users"] == nil { content["users"] = [:] }
                content["users"]?[creator.string] = 100
            }
        }
        let final = content
        if !version.privilegedCreators, levels.level(of: user.id) < .level(100) {
            // The one who upgrades must be able to set up the new room; what they have in the end is what they had.
            var initial = final
            if initial["users"] == nil { initial["users"] = [:] }
            initial["users"]?[user.id.string] = 100
            add(.powerLevels, initial)
        } else {
            add(.powerLevels, final)
        }
        for type in Self.inherited {
            if let event = events.first(where: { $0.event.state == StateKey(type) }) {
                add(type, event.event.content.value)
            }
        }
        // Guests are kept out where nothing lets them in; new rooms would let them in where nothing keeps them out.
        if !drafts.contains(where: { $0.type == .guestAccess }) { add(.guestAccess, ["guest_access": "forbidden"]) }
        for event in events where event.event.type == .spaceChild && event.event.content["via"] != nil {
            add(.spaceChild, event.event.content.value, key: event.event.stateKey?.string ?? "")
        }
        for event in events where Membership(of: event.event) == .ban && event.event.type == .member {
            add(.member, event.event.content.value, key: event.event.stateKey?.string ?? "")
        }
        if let alias = events.first(where: { $0.event.state == StateKey(.canonicalAlias) }),
            alias.event.content["alias"] != nil || alias.event.content["alt_aliases"] != nil
        {
            add(.canonicalAlias, alias.event.content.value)
        }
        if drafts.first(where: { $0.type == .powerLevels })?.content.value != final { add(.powerLevels, final) }
        drafts[0].timestamp = creationTimestamp()
        return drafts
    }

    /// Lets nobody talk in a room any more that has a successor.
    private func close(_ room: RoomNumber, by user: Requester) async throws {
        do {
            _ = try await submit(room) { view in
                var drafts: [EventDraft] = []
                if try await view.event(StateKey(.canonicalAlias)) != nil {
                    drafts.append(EventDraft(sender: user.id, state: .canonicalAlias, content: [:]))
                }
                guard let levels = try await view.event(StateKey(.powerLevels)) else { return drafts }
                var content = levels.event.content.value
                let quiet = max(50, (content["users_default"]?.int ?? 0) + 1)
                content["events_default"] = .integer(max(quiet, content["events_default"]?.int ?? 0))
                content["invite"] = .integer(max(quiet, content["invite"]?.int ?? 0))
                drafts.append(EventDraft(sender: user.id, state: .powerLevels, content: content))
                return drafts
            }
        } catch let error as MatrixError where error.status < 500 {
            // Who may place the tombstone need not be allowed to change the levels: the old room then stays open.
            services.logger.notice("old room not closed", metadata: ["room": "\(room)", "error": "\(error.message)"])
        }
    }
}
