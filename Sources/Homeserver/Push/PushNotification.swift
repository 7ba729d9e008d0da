import Matrix
import RoomEngine
import Store

/// What a push gateway is told: of an event, or only how much is unread.
///
/// [POST /_matrix/push/v1/notify](https://spec.matrix.org/v1.19/push-gateway-api/#post_matrixpushv1notify)
struct PushNotification: Sendable {
    /// An event, with what is told of where it was sent.
    struct Subject: Sendable {
        /// The event.
        let event: Event
        /// What the user's rules said of it.
        let actions: [PushAction]
        /// What its sender is called in the room.
        var senderName: String?
        /// What the room is called.
        var roomName: String?
        /// The room's main alias.
        var roomAlias: String?
        /// Who is told.
        let recipient: UserID
    }

    /// Whose application is told.
    let pusher: PusherRecord
    /// The event; `nil` if only how much is unread is told.
    let subject: Subject?
    /// How many notifications the user has not read.
    let unreadCount: Int

    /// What is in a pusher's `data`.
    struct Options: Sendable {
        /// All but where the gateway is: what the gateway is given.
        let forGateway: JSONValue
        /// Where the gateway is.
        let address: PushGatewayAddress?
        /// Whether the gateway is told which event it is and no more.
        let sendsEventIDOnly: Bool
        /// Whether the gateway is told how much is unread
        /// ([MSC4076](https://github.com/matrix-org/matrix-spec-proposals/pull/4076)).
        let countsUnread: Bool

        init(_ data: [UInt8]) {
            var value = (try? JSON(parsing: data))?.value ?? [:]
            address = value["url"]?.string.flatMap { PushGatewayAddress($0) }
            value["url"] = nil
            forGateway = value
            sendsEventIDOnly = value["format"]?.string.map { ExactString($0) } == "event_id_only"
            countsUnread = value["org.matrix.msc4076.disable_badge_count"] != .bool(true)
        }
    }

    /// Whether an event is worth waking a telephone for: it makes itself heard or stands out, may do so once it is decrypted, or is a
    /// call.
    static func isUrgent(_ event: Event, _ outcome: PushOutcome) -> Bool {
        outcome.highlights || outcome.sound != nil || event.type == .encrypted || event.type == "m.call.invite"
            || event.type == "org.matrix.msc4075.rtc.notification" || event.type == "m.rtc.notification"
    }

    /// The text that is posted.
    func body(_ options: Options) -> [UInt8] {
        var writer = JSONWriter(capacity: 1_024)
        writer.beginObject()
        writer.rawKey("notification")
        writer.beginObject()
        var tweaks: JSONValue = [:]
        if let subject {
            let outcome = PushOutcome(subject.actions)
            for case .setTweak(let name, let value) in subject.actions {
                // Without a value, highlighting is meant.
                tweaks[name.string] = value ?? (name == "highlight" ? true : nil)
            }
            writer.member("event_id", subject.event.eventID)
            writer.member("room_id", subject.event.roomID)
            if !options.sendsEventIDOnly { write(subject, to: &writer) }
            writer.member("prio", Self.isUrgent(subject.event, outcome) ? "high" : "low")
        } else {
            writer.member("prio", "low")
        }
        if options.countsUnread {
            // Zeros should be left out, but it is by the zero that telephones know that nothing is left.
            writer.member("counts", JSONValue.object(["unread": .integer(Int64(unreadCount))]))
        }
        writer.rawKey("devices")
        writer.beginArray()
        writer.beginObject()
        writer.member("app_id", pusher.appID)
        writer.member("pushkey", pusher.pushKey)
        writer.member("pushkey_ts", pusher.createdTimestamp / 1_000)
        writer.member("data", options.forGateway)
        if subject != nil { writer.member("tweaks", tweaks) }
        writer.endObject()
        writer.endArray()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    private func write(_ subject: Subject, to writer: inout JSONWriter) {
        // What the event's identifier was called before, and `membership` below, are what Synapse sends beside; gateways look for them.
        writer.member("id", subject.event.eventID)
        writer.member("type", subject.event.type.string)
        writer.member("sender", subject.event.sender)
        writer.member("sender_display_name", subject.senderName)
        writer.member("room_name", subject.roomName ?? subject.roomAlias)
        writer.member("room_alias", subject.roomAlias)
        if subject.event.type == .member {
            writer.member("membership", subject.event.membership)
            writer.member("user_is_target", subject.event.stateKey == ExactString(subject.recipient.string))
        }
        writer.member("content", subject.event.content)
    }
}
