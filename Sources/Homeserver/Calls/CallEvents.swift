import Matrix

extension EventType {
    /// A call that a room has, as state: [MSC3401](https://github.com/matrix-org/matrix-spec-proposals/pull/3401).
    public static let call: EventType = "org.matrix.msc3401.call"
    /// Tells members of a call, loudly or not: [MSC4075](https://github.com/matrix-org/matrix-spec-proposals/pull/4075).
    public static let callNotification: EventType = "org.matrix.msc4075.rtc.notification"
    /// A page that clients show within the room.
    public static let widget: EventType = "im.vector.modular.widgets"
}

/// What calls are in events: which types there are, and what is said of a meeting.
public enum CallEvents {
    /// The member of the content that points to the meeting.
    public static let conference = "fr.gouv.chappe.conference"

    /// State that says that the room has a call, or what it is about.
    static let calls: Set<EventType> = [
        .call, "m.call", "m.rtc.slot", "org.matrix.msc4143.rtc.slot",
    ]
    /// Who is in a call: of state events, and of those that stick.
    static let members: Set<EventType> = [
        "org.matrix.msc3401.call.member", "m.call.member", "org.matrix.msc4143.rtc.member", "m.rtc.member",
    ]
    static let notifications: Set<EventType> = [
        .callNotification, "m.rtc.notification", "org.matrix.msc4075.call.notify", "m.call.notify",
    ]
    static let widgets: Set<EventType> = [.widget, "m.widget"]
    /// The types of widgets that are conferences.
    private static let conferenceWidgets: Set<ExactString> = [
        "jitsi", "m.jitsi", "m.call", "io.element.call", "m.video", "m.conference", "visio", "fr.gouv.visio",
    ]

    /// Whether a widget is a conference.
    static func isConference(_ widget: JSON) -> Bool {
        if widget[conference] != nil { return true }
        return widget["type"]?.string.map { conferenceWidgets.contains(ExactString($0)) } ?? false
    }

    /// Whether the state of a call says that it is over, or nothing.
    static func isOver(_ content: JSON) -> Bool {
        content.count == 0 || content["m.terminated"] != nil || content["status"]?.string == "closed"
    }

    /// Whether somebody's membership of a call says that they are in it.
    ///
    /// - Parameters:
    ///   - content: What the event says.
    ///   - sentAt: When it was sent, in milliseconds since 1970.
    ///   - now: The time.
    static func isMember(_ content: JSON, sentAt: Int64, at now: Int64) -> Bool {
        if content["membership"]?.string == "leave" || content["disconnect_reason"] != nil { return false }
        // The form of before lists the user's devices.
        if let memberships = content["memberships"] { return memberships.count > 0 }
        guard content["application"] != nil || content["rtc_transports"] != nil else { return false }
        guard let expires = content["expires"]?.int else { return true }
        let since = content["created_ts"]?.int ?? sentAt
        // Both are within 2^53.
        return since + expires > now
    }
}

/// A call at a conference service, as events tell of it.
struct CallDescription: Sendable {
    /// What Matrix calls it.
    var callID: String
    /// Which service.
    var service: String
    /// Where people go.
    var url: String
    /// What the service calls the meeting.
    var meetingID: String
    /// Whom the service lets in.
    var accessLevel: String
    /// Who started it.
    var startedBy: UserID
    /// When, in milliseconds since 1970.
    var startedTS: Int64
    /// Whether it is for seeing or only for hearing each other.
    var isVideo = true
    /// Who is there, if the service tells it: how many, and by which names if these may be told.
    var participants: (count: Int, names: [String]?)?
    /// Where its recordings are: JSON objects.
    var recordings: [JSONValue] = []
    /// Why it has ended, and when.
    var end: (reason: String, at: Int64)?

    /// The content of the state event.
    var state: JSONValue {
        var pointer: JSONValue = [
            "service": .string(service), "url": .string(url), "meeting_id": .string(meetingID),
            "access_level": .string(accessLevel), "started_by": .string(startedBy.string),
            "started_ts": .integer(startedTS),
        ]
        if let participants {
            var told: JSONValue = ["count": .integer(Int64(participants.count))]
            if let names = participants.names { told["names"] = .array(names.map { .string($0) }) }
            pointer["participants"] = told
        }
        if !recordings.isEmpty { pointer["recordings"] = .array(recordings) }
        var content: JSONValue = [
            "m.intent": "m.prompt", "m.type": isVideo ? "m.video" : "m.voice",
        ]
        if let end {
            content["m.terminated"] = .string(end.reason)
            pointer["ended_ts"] = .integer(end.at)
            pointer["duration_ms"] = .integer(max(end.at - startedTS, 0))
        }
        content[CallEvents.conference] = pointer
        return content
    }

    /// The message with the link, which every client can open.
    func message(names: String) -> JSONValue {
        let text = isVideo ? "Video call" : "Call"
        return [
            "msgtype": "m.text", "body": .string("\(text) started by \(names): \(url)"),
            "format": "org.matrix.custom.html",
            "formatted_body": .string(
                "\(text) started by \(HTMLText.escaped(names)): <a href=\"\(HTMLText.escaped(url))\">\(HTMLText.escaped(url))</a>"
            ),
            "m.mentions": [:],
            CallEvents.conference: ["service": .string(service), "url": .string(url), "call_id": .string(callID)],
        ]
    }
}

extension CallDescription {
    /// For how long clients ring, in milliseconds.
    static let ringMilliseconds: Int64 = 30_000

    /// What makes clients ring.
    func ring(about event: EventID, at now: Int64) -> JSONValue {
        [
            "notification_type": "ring", "sender_ts": .integer(now), "lifetime": .integer(Self.ringMilliseconds),
            "m.mentions": ["room": true, "user_ids": []],
            "m.relates_to": ["rel_type": "m.reference", "event_id": .string(event.string)],
            "m.call.intent": isVideo ? "video" : "audio",
            "application": [
                "type": "m.call", "notification_type": "ring", "sender_ts": .integer(now),
                "lifetime": .integer(Self.ringMilliseconds), "m.call.intent": isVideo ? "video" : "audio",
            ],
            "m.text": [["body": .string("Call: \(url)")]],
            CallEvents.conference: ["service": .string(service), "url": .string(url), "call_id": .string(callID)],
        ]
    }

    /// The page that clients show within the room.
    func widget(type: String, creator: UserID, data: JSONValue) -> JSONValue {
        var all = data
        all["title"] = "Call"
        return [
            "id": .string(callID), "type": .string(type), "url": .string(url), "name": "Call",
            "creatorUserId": .string(creator.string), "waitForIframeLoad": true, "data": all,
            CallEvents.conference: ["service": .string(service), "url": .string(url), "call_id": .string(callID)],
        ]
    }

    /// The message that tells where a recording is.
    func recordingMessage(_ recording: JSONValue) -> JSONValue {
        let link = recording["url"]?.string ?? ""
        let kind = recording["kind"]?.string == "transcript" ? "Transcript" : "Recording"
        return [
            "msgtype": "m.notice", "body": .string("\(kind) of the call: \(link)"),
            "format": "org.matrix.custom.html",
            "formatted_body": .string(
                "\(kind) of the call: <a href=\"\(HTMLText.escaped(link))\">\(HTMLText.escaped(link))</a>"),
            "m.mentions": [:],
            CallEvents.conference: ["service": .string(service), "call_id": .string(callID), "recording": recording],
        ]
    }
}

/// Texts within HTML.
enum HTMLText {
    /// What has a meaning in HTML escaped.
    static func escaped(_ text: String) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }
}
