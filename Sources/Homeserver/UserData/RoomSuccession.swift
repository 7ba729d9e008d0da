import Matrix
import RoomEngine
import Store

/// Carries over to a room's successor what a user has noted about the room: tags, that it is a conversation of two, when to notify.
///
/// [Room upgrades](https://spec.matrix.org/v1.19/client-server-api/#room-upgrades) leave to servers what follows users to the new
/// room: with all of it, they find the new room where the old one was.
struct RoomSuccession: Sendable {
    /// Copies everything, in the transaction in which the user comes into the new room.
    func copy(of user: UserNumber, from old: RoomNumber, to new: RoomNumber, in writer: StoreWriter) throws {
        try TagService.copy(of: user, from: old, to: new, in: writer)
        let (oldID, newID) = (try writer.read.identifiers.room(old), try writer.read.identifiers.room(new))
        try copyDirectMark(of: user, from: oldID, to: newID, in: writer)
        try copyPushRule(of: user, from: oldID, to: newID, in: writer)
    }

    /// [m.direct](https://spec.matrix.org/v1.19/client-server-api/#mdirect) lists rooms by the user they are for.
    private func copyDirectMark(of user: UserNumber, from old: RoomID, to new: RoomID, in writer: StoreWriter) throws {
        guard let item = try writer.read.accountData.item(of: user, room: nil, type: AccountDataType.direct),
            // Clients write it whole: what is of another shape is none of ours.
            !item.isDeleted, case .object(let direct)? = (try? JSON(parsing: item.data.content))?.value
        else { return }
        var changed = direct
        for member in direct.members {
            guard case .array(var rooms) = member.value, rooms.contains(.string(old.string)),
                !rooms.contains(.string(new.string))
            else { continue }
            rooms.append(.string(new.string))
            changed[member.name.string] = .array(rooms)
        }
        guard changed != direct else { return }
        try writer.accountData.set(
            AccountDataRecord(
                user: user, room: nil, type: AccountDataType.direct, content: JSONValue.object(changed).serialized()))
    }

    private func copyPushRule(of user: UserNumber, from old: RoomID, to new: RoomID, in writer: StoreWriter) throws {
        guard let item = try writer.read.accountData.item(of: user, room: nil, type: AccountDataType.pushRules) else {
            return
        }
        let stored = try JSON(parsing: item.data.content)
        var rules = PushRuleset(stored: stored, user: try writer.read.identifiers.user(user))
        guard rules.copyRoomRule(from: old.string, to: new.string) else { return }
        try writer.accountData.set(
            AccountDataRecord(
                user: user, room: nil, type: AccountDataType.pushRules, content: rules.stored.serialized()),
            announcing: rules.content.serialized())
    }
}
