import FederationWire
import Homeserver
import Matrix
import Store

/// The types of messages between servers that are part of no room's history.
///
/// [EDUs](https://spec.matrix.org/v1.19/server-server-api/#edus)
enum EDUType {
    static let directToDevice = "m.direct_to_device"
    static let deviceListUpdate = "m.device_list_update"
    static let presence = "m.presence"
    static let receipt = "m.receipt"
    static let signingKeyUpdate = "m.signing_key_update"
    /// What it was called before it was specified; some servers know no other name.
    static let unstableSigningKeyUpdate = "org.matrix.signing_key_update"
    static let typing = "m.typing"
}

extension EphemeralMessage {
    /// [m.typing](https://spec.matrix.org/v1.19/server-server-api/#typing-notifications)
    static func typing(_ note: TypingNote) -> EphemeralMessage {
        var writer = JSONWriter(capacity: 160)
        writer.beginObject()
        writer.member("room_id", note.room)
        writer.member("user_id", note.user)
        writer.member("typing", note.isTyping)
        writer.endObject()
        return EphemeralMessage(type: EDUType.typing, content: writer.bytes)
    }

    /// [m.presence](https://spec.matrix.org/v1.19/server-server-api/#presence)
    static func presence(_ users: [(user: UserID, status: PresenceStatus)]) -> EphemeralMessage {
        var writer = JSONWriter(capacity: 64 + 160 * users.count)
        writer.beginObject()
        writer.key("push")
        writer.beginArray()
        for (user, status) in users {
            var status = status
            // It must be there, also of a user who never did anything.
            status.lastActiveAgoMilliseconds = status.lastActiveAgoMilliseconds ?? 0
            writer.beginObject()
            writer.member("user_id", user)
            status.writeMembers(into: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return EphemeralMessage(type: EDUType.presence, content: writer.bytes)
    }

    /// [m.device_list_update](https://spec.matrix.org/v1.19/server-server-api/#device-management)
    ///
    /// - Parameters:
    ///   - keys: The device's identity keys: the text of a JSON object.
    static func deviceListUpdate(
        _ announcement: DeviceAnnouncement, of user: UserID, device: DeviceID, displayName: String?, keys: [UInt8]?
    ) -> EphemeralMessage {
        var writer = JSONWriter(capacity: 256 + (keys?.count ?? 0))
        writer.beginObject()
        writer.member("user_id", user)
        writer.member("device_id", device)
        writer.member("stream_id", announcement.streamID)
        writer.key("prev_id")
        writer.beginArray()
        if let previous = announcement.previousID { writer.write(previous) }
        writer.endArray()
        if announcement.isDeleted {
            writer.member("deleted", true)
        } else {
            writer.member("device_display_name", displayName)
            if let keys { writer.rawMember("keys", keys) }
        }
        writer.endObject()
        return EphemeralMessage(type: EDUType.deviceListUpdate, content: writer.bytes)
    }

    /// [m.signing_key_update](https://spec.matrix.org/v1.19/server-server-api/#definition-msigning_key_update), under
    /// its name of now and that of before.
    static func signingKeyUpdate(of user: UserID, master: [UInt8]?, selfSigning: [UInt8]?) -> [EphemeralMessage] {
        var writer = JSONWriter(capacity: 128 + (master?.count ?? 0) + (selfSigning?.count ?? 0))
        writer.beginObject()
        writer.member("user_id", user)
        if let master { writer.rawMember("master_key", master) }
        if let selfSigning { writer.rawMember("self_signing_key", selfSigning) }
        writer.endObject()
        return [EDUType.signingKeyUpdate, EDUType.unstableSigningKeyUpdate].map {
            EphemeralMessage(type: $0, content: writer.bytes)
        }
    }
}
