import Matrix

/// [make_join](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_joinroomiduserid),
/// [make_leave](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_leaveroomiduserid),
/// [make_knock](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_knockroomiduserid)
public struct MakeMembershipRequest: FederationRequest {
    /// The membership.
    public enum Membership: String, Sendable {
        case join, leave, knock
    }

    /// The beginnings of an event.
    public struct Template: Sendable {
        /// The room's version, if the server named one.
        public let version: String?
        /// The event: a JSON object.
        public let event: JSON
    }

    private let membership: Membership
    private let user: UserID
    private let room: RoomID
    private let versions: [String]

    /// A request; `versions` are the room versions that this server speaks.
    public init(_ membership: Membership, of user: UserID, in room: RoomID, versions: [String]) {
        self.membership = membership
        self.user = user
        self.room = room
        self.versions = membership == .leave ? [] : versions
    }

    /// GET.
    public var method: FederationMethod { .get }
    /// Path and query.
    public var target: RequestTarget {
        .v1("make_\(membership.rawValue)", room.string, user.string).with("ver", versions)
    }

    /// The template.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> Template {
        let event = try json.requiredObject("event")
        guard AnswerLimits.isEvent(event) else { throw MalformedAnswer("has too large an event") }
        return Template(version: json["room_version"]?.string, event: event.detached())
    }
}

/// [send_join](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid)
public struct SendJoinRequest: FederationRequest {
    /// The state of the room that has been joined.
    public struct Answer: Sendable {
        /// The event as the server has it, if it says so.
        public let event: [UInt8]?
        /// The state before the join.
        public let state: [[UInt8]]
        /// The auth chain of both.
        public let authChain: [[UInt8]]
        /// Whether memberships have been left out.
        public let membersOmitted: Bool
        /// The servers in the room, if the server says.
        public let servers: [ServerName]
    }

    private let event: Event
    private let omitsMembers: Bool
    private let usesVersion1: Bool

    /// A request; `usesVersion1` is for servers that do not know the second version of the operation.
    public init(_ event: Event, omitsMembers: Bool, usesVersion1: Bool = false) {
        self.event = event
        self.omitsMembers = omitsMembers
        self.usesVersion1 = usesVersion1
    }

    /// PUT.
    public var method: FederationMethod { .put }
    /// Path and query.
    public var target: RequestTarget {
        if usesVersion1 { return .v1("send_join", event.roomID.string, event.eventID.string) }
        let target = RequestTarget.v2("send_join", event.roomID.string, event.eventID.string)
        return omitsMembers ? target.with("omit_members", "true") : target
    }
    /// The event.
    public var body: [UInt8]? { event.bytes }
    /// The state of the largest rooms is some 100 MB.
    public var responseLimitBytes: Int { 128 << 20 }
    /// Other servers collect that state for minutes.
    public var timeoutMilliseconds: Int64 { 300_000 }

    /// The state.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> Answer {
        let json = usesVersion1 ? try json.unwrapped() : json
        let servers: [ServerName] =
            json["servers_in_room"] == nil
            ? [] : try json.identifiers("servers_in_room", atMost: AnswerLimits.servers)
        return Answer(
            event: json["event"].flatMap { AnswerLimits.isEvent($0) ? Array($0.bytes) : nil },
            state: try json.events("state"), authChain: try json.events("auth_chain"),
            membersOmitted: json["members_omitted"]?.bool ?? false, servers: servers
        )
    }
}

/// [send_leave](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_leaveroomideventid)
public struct SendLeaveRequest: FederationRequest {
    private let event: Event
    private let usesVersion1: Bool

    /// A request; `usesVersion1` is for servers that do not know the second version of the operation.
    public init(_ event: Event, usesVersion1: Bool = false) {
        self.event = event
        self.usesVersion1 = usesVersion1
    }

    /// PUT.
    public var method: FederationMethod { .put }
    /// Path and query.
    public var target: RequestTarget {
        usesVersion1
            ? .v1("send_leave", event.roomID.string, event.eventID.string)
            : .v2("send_leave", event.roomID.string, event.eventID.string)
    }
    /// The event.
    public var body: [UInt8]? { event.bytes }

    /// Nothing is said.
    public func decode(_ json: JSON) throws(MalformedAnswer) {}
}

/// [send_knock](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid)
public struct SendKnockRequest: FederationRequest {
    private let event: Event

    /// A request.
    public init(_ event: Event) { self.event = event }

    /// PUT.
    public var method: FederationMethod { .put }
    /// Path and query.
    public var target: RequestTarget { .v1("send_knock", event.roomID.string, event.eventID.string) }
    /// The event.
    public var body: [UInt8]? { event.bytes }
    /// Room enough for the largest descriptions.
    public var responseLimitBytes: Int { 8 << 20 }

    /// The room's stripped state.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [JSON] {
        try json.list("knock_room_state", atMost: AnswerLimits.strippedState)
            .filter(AnswerLimits.isEvent).map { $0.detached() }
    }
}

/// [invite](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid)
public struct InviteRequest: FederationRequest {
    private let event: Event
    private let strippedState: [[UInt8]]
    private let usesVersion1: Bool

    /// A request; `usesVersion1` is for servers that do not know the second version of the operation, which they cannot be told the
    /// version of the room by.
    public init(_ event: Event, strippedState: [[UInt8]], usesVersion1: Bool = false) {
        self.event = event
        self.strippedState = strippedState
        self.usesVersion1 = usesVersion1
    }

    /// PUT.
    public var method: FederationMethod { .put }
    /// Path and query.
    public var target: RequestTarget {
        usesVersion1
            ? .v1("invite", event.roomID.string, event.eventID.string)
            : .v2("invite", event.roomID.string, event.eventID.string)
    }

    /// The event and what tells of its room.
    public var body: [UInt8]? {
        var writer = JSONWriter(capacity: event.bytes.count + strippedState.reduce(256) { $0 + $1.count })
        writer.beginObject()
        if usesVersion1 {
            for (name, value) in event.json.members where !name.utf8.elementsEqual("unsigned".utf8) {
                writer.member(name, value)
            }
            writer.rawKey("unsigned")
            writer.beginObject()
            writeState(to: &writer)
            writer.endObject()
        } else {
            writer.member("room_version", event.version.id)
            writer.rawMember("event", event.bytes)
            writeState(to: &writer)
        }
        writer.endObject()
        return writer.bytes
    }

    private func writeState(to writer: inout JSONWriter) {
        writer.rawKey("invite_room_state")
        writer.beginArray()
        for event in strippedState { writer.writeRaw(event) }
        writer.endArray()
    }

    /// The event as the invited user's server has signed it.
    public func decode(_ json: JSON) throws(MalformedAnswer) -> [UInt8] {
        let json = usesVersion1 ? try json.unwrapped() : json
        let event = try json.requiredObject("event")
        guard AnswerLimits.isEvent(event) else { throw MalformedAnswer("has too large an event") }
        return Array(event.bytes)
    }
}

/// [exchange_third_party_invite](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid)
public struct ExchangeThirdPartyInviteRequest: FederationRequest {
    private let content: [UInt8]
    private let room: RoomID

    /// A request; `content` is the text of its body.
    public init(_ content: [UInt8], in room: RoomID) {
        self.content = content
        self.room = room
    }

    /// PUT.
    public var method: FederationMethod { .put }
    /// Path and query.
    public var target: RequestTarget { .v1("exchange_third_party_invite", room.string) }
    /// The invite.
    public var body: [UInt8]? { content }

    /// Nothing is said.
    public func decode(_ json: JSON) throws(MalformedAnswer) {}
}
