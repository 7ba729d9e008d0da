import Logging
import Matrix
import RoomEngine
import Store

/// Starts and ends rooms' calls at conference services, and tells rooms of them.
///
/// A room has one meeting at a service, for good. Whoever starts a call is its only maker: the room's row is claimed in the database before the
/// service is asked, so that neither a second request nor another process asks too, and what is being asked is noted before it is.
/// The events that announce a call are stored in one transaction with it.
public final class CallService: Sendable {
    /// What a caller asks for.
    public struct Options: Sendable {
        /// At which service; `nil`: the first of the configuration.
        public var service: String?
        /// Whether clients are to ring; `nil`: as the configuration has it.
        public var rings: Bool?
        /// Whether the message with the link is sent, where it can be.
        public var sendsMessage: Bool
        /// Whether a widget is placed; `nil`: as the configuration has it.
        public var placesWidget: Bool?
        /// Whether it is for seeing or only for hearing each other.
        public var isVideo: Bool
        /// Whether the room gets another meeting: when the service has lost the one it has.
        public var makesNewMeeting: Bool

        /// Options.
        public init(
            service: String? = nil, rings: Bool? = nil, sendsMessage: Bool = true, placesWidget: Bool? = nil,
            isVideo: Bool = true, makesNewMeeting: Bool = false
        ) {
            self.service = service
            self.rings = rings
            self.sendsMessage = sendsMessage
            self.placesWidget = placesWidget
            self.isVideo = isVideo
            self.makesNewMeeting = makesNewMeeting
        }
    }

    /// How long a process that makes a meeting has for it, in milliseconds. Its requests take less.
    static let claimMilliseconds: Int64 = 60_000

    let conferences: [Conference]
    let rooms: RoomService
    let store: Store
    let tokens: any WebTokens
    let rules: CallRules
    let clock: any Clock
    let logger: Logger
    private let randomness: any Randomness
    private let flights = SingleFlight<RoomNumber, Bool>()
    let ends: DueWork

    /// - Parameters:
    ///   - conferences: The services, the usual one first.
    ///   - tokens: Makes what lets people into a protected Jitsi, and reads what services sign.
    ///   - rules: What the administrator has decided about calls.
    ///   - logger: Told of what fails.
    public init(
        conferences: [Conference], rooms: RoomService, tokens: any WebTokens, rules: CallRules, clock: any Clock,
        randomness: any Randomness, scheduler: any Scheduler, logger: Logger
    ) {
        self.conferences = conferences
        self.rooms = rooms
        self.tokens = tokens
        self.rules = rules
        self.clock = clock
        self.randomness = randomness
        self.logger = logger
        let store = rooms.store
        self.store = store
        let late = LateCalls()
        ends = DueWork(
            clock: clock, scheduler: scheduler, logger: logger,
            next: { try await store.read { try $0.meetings.nextEnd() } }, work: { try await late.end() })
        late.service = self
    }

    /// Takes up what was left when the server stopped.
    ///
    /// - Parameter isAlone: Whether no other process works on the same database: what was claimed then was by one that is no more.
    public func resume(isAlone: Bool) async throws {
        if isAlone { try await store.write { try $0.meetings.releaseAll() } }
        try await ends.resume()
        var last = RoomNumber(.min)
        while true {
            let page = try await store.read { [last] in try $0.meetings.underWay(after: last, limit: 100) }
            // What a service told just before the stop may not have been passed on.
            for meeting in page { await refresh(meeting) }
            guard let end = page.last?.room, page.count == 100 else { return }
            last = end
        }
    }

    /// Ends nothing more.
    public func stop() { ends.stop() }

    func conference(_ name: String?) throws -> Conference {
        guard let first = conferences.first else {
            throw MatrixError(404, .unrecognized, "This server has no conference service")
        }
        guard let name else { return first }
        guard let found = conferences.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
            throw MatrixError.invalidParameter("This server has no conference service of that name")
        }
        return found
    }

    // MARK: Starting

    /// Starts a room's call, or finds the one that is under way.
    ///
    /// - Returns: The call; `isNew` if this request started it.
    /// - Throws: 403 `M_FORBIDDEN` for who is not in the room or has not the power; an error that says what is wrong with the service.
    public func start(_ room: RoomID, by user: Requester, _ options: Options) async throws -> (
        call: CurrentCall, isNew: Bool
    ) {
        let conference = try conference(options.service)
        let number = try await rooms.number(of: room)
        // Another's attempt may fail where one's own would not.
        for _ in 0..<3 {
            try await checkMayStart(number, user)
            if let meeting = try await underWay(number, conference) {
                return (try await current(meeting, conference, for: user), false)
            }
            let isMine = Ownership()
            do {
                _ = try await flights.run(number) { [self] in
                    isMine.take()
                    try await begin(number, conference, user, options)
                    return true
                }
            } catch  where !isMine.isTaken { continue }
            if isMine.isTaken, let meeting = try await underWay(number, conference) {
                return (try await current(meeting, conference, for: user), true)
            }
        }
        throw MatrixError.limitExceeded(retryAfterMilliseconds: 1_000)
    }

    private func checkMayStart(_ room: RoomNumber, _ user: Requester) async throws {
        let view = try await rooms.view(room)
        guard try await view.membership(of: user.id) == .join else {
            throw MatrixError.forbidden("You are not in this room")
        }
        try rules.checkMayStart(user.id, in: view)
        guard let levels = view.powerLevels, levels.may(user.id, send: .call, isState: true) else {
            throw CallRules.refusal(
                "FR.GOUV.CHAPPE_CALL_NEEDS_POWER",
                "You may not start calls in this room: it needs the power to send \(EventType.call)")
        }
    }

    /// The call under way. One whose state says that it is over, because somebody has set it so, is over.
    func underWay(_ room: RoomNumber, _ conference: Conference) async throws -> Meeting? {
        guard let meeting = try await store.read({ try $0.meetings.meeting(of: room, at: conference.name) }),
            meeting.isUnderWay
        else { return nil }
        let state = try await rooms.view(room).event(StateKey(.call, meeting.callID))
        guard let content = state?.event.content, !CallEvents.isOver(content) else { return nil }
        return meeting
    }

    /// Makes the meeting, unless there is one, and announces the call.
    private func begin(
        _ room: RoomNumber, _ conference: Conference, _ user: Requester, _ options: Options
    ) async throws {
        let view = try await rooms.view(room)
        let isOpen = try await view.event(StateKey(.joinRules))?.event.content["join_rule"]?.string == "public"
        let level = isOpen ? conference.openAccess : conference.privateAccess
        let claim = randomness.text(16)
        let callID = "call-\(randomness.text(16))"
        let now = clock.now
        let isClaimed = try await store.write { writer in
            try writer.meetings.claim(
                room, at: conference.name, callID: callID, accessLevel: level, claim: claim,
                until: now + Self.claimMilliseconds, now: now)
        }
        // Another process is at it.
        guard isClaimed else { throw MatrixError.limitExceeded(retryAfterMilliseconds: 1_000) }
        do {
            if try await underWay(room, conference) == nil {
                let meeting = try await made(room, conference, user, level, anew: options.makesNewMeeting)
                return try await announce(meeting, conference, user, options)
            }
        } catch {
            try? await release(room, conference, claim)
            throw error
        }
        try await release(room, conference, claim)
    }

    private func release(_ room: RoomNumber, _ conference: Conference, _ claim: String) async throws {
        try await store.write { try $0.meetings.release(room, at: conference.name, claim: claim) }
    }

    /// The room's meeting, made if there is none that lets in no more than it should.
    private func made(
        _ room: RoomNumber, _ conference: Conference, _ user: Requester, _ level: String, anew: Bool
    ) async throws -> Meeting {
        let known = try await required(room, conference)
        if known.meetingID != nil, !anew, !Conference.isLaxer(known.accessLevel, than: level) { return known }
        let meeting: MadeMeeting
        switch conference.kind {
        case .jitsi:
            // Nobody guesses the name.
            let name = "chappe-\(randomness.text(22))"
            meeting = MadeMeeting(name: name, url: "\(conference.url)/\(name)", accessLevel: level)
        case .asked(let service):
            let maker = MeetingMaker(store: store, service: service, conference: conference, logger: logger)
            meeting = try await maker.make(for: known, address: try await address(of: user, conference), level)
        }
        try await store.write { writer in
            try writer.meetings.setMade(
                meeting.name, url: meeting.url, accessLevel: meeting.accessLevel, of: room, at: conference.name)
        }
        return try await required(room, conference)
    }

    func required(_ room: RoomNumber, _ conference: Conference) async throws -> Meeting {
        guard let meeting = try await store.read({ try $0.meetings.meeting(of: room, at: conference.name) }) else {
            throw MatrixError.internalError
        }
        return meeting
    }

    /// By which address the service knows a user.
    private func address(of user: Requester, _ conference: Conference) async throws -> String {
        let own = try await store.read { try $0.addresses.addresses(of: user.number).first?.address }
        guard let address = own ?? conference.fallbackAddress else {
            throw CallRules.refusal(
                "FR.GOUV.CHAPPE_CALL_NEEDS_ADDRESS",
                "Your account has no mail address by which \(conference.name) would know you")
        }
        return address
    }

    private func announce(
        _ meeting: Meeting, _ conference: Conference, _ user: Requester, _ options: Options
    ) async throws {
        guard let name = meeting.meetingID, let url = meeting.url else { throw MatrixError.internalError }
        let now = clock.now
        let call = CallDescription(
            callID: meeting.callID, service: conference.name, url: url, meetingID: name,
            accessLevel: meeting.accessLevel, startedBy: user.id, startedTS: now, isVideo: options.isVideo)
        let view = try await rooms.view(meeting.room)
        // There this server can write nothing that members take for a message of the room.
        let isEncrypted = try await view.event(StateKey(.encryption)) != nil
        let caller = try await rooms.profiles.memberProfile(of: user.id).displayName ?? user.id.string
        let widget = options.placesWidget ?? conference.placesWidget ? widget(of: call, conference, user) : nil
        let sendsMessage = options.sendsMessage && !isEncrypted
        let rings = (options.rings ?? conference.rings) && !isEncrypted
        let end = rules.maximumMilliseconds.map { now + $0 }
        let names =
            ["state"] + (sendsMessage ? ["message"] : []) + (rings ? ["ring"] : []) + (widget == nil ? [] : ["widget"])
        _ = try await rooms.announce(
            in: meeting.room,
            { EventDraft(sender: user.id, state: .call, key: meeting.callID, content: call.state) },
            then: { state in
                var drafts: [EventDraft] = []
                if sendsMessage {
                    drafts.append(
                        EventDraft(sender: user.id, type: .message, content: call.message(names: caller).json))
                }
                if rings {
                    drafts.append(
                        EventDraft(
                            sender: user.id, type: .callNotification, content: call.ring(about: state, at: now).json))
                }
                return drafts + (widget.map { [$0] } ?? [])
            },
            alongside: { writer, events in
                let told = JSONValue.object(JSONObject(zip(names, events).map { ($0, .string($1.string)) }))
                try writer.meetings.start(
                    meeting.room, at: conference.name, by: user.number, isVideo: options.isVideo, at: now, endsAt: end,
                    events: String(decoding: told.serialized(), as: UTF8.self))
            })
        if let end { ends.schedule(at: end) }
    }

    private func widget(of call: CallDescription, _ conference: Conference, _ user: Requester) -> EventDraft {
        var data: JSONValue = [:]
        if case .jitsi = conference.kind {
            data["domain"] = .string(
                String(
                    conference.url.split(separator: "/", omittingEmptySubsequences: true).dropFirst().joined(
                        separator: "/")))
            data["conferenceId"] = .string(call.meetingID)
            data["isAudioOnly"] = .bool(!call.isVideo)
        }
        return EventDraft(
            sender: user.id, state: .widget, key: call.callID,
            content: call.widget(type: conference.widgetType, creator: user.id, data: data))
    }
}

/// Whether it was one's own request that did the work.
private final class Ownership: Sendable {
    private let flag = Flag()
    var isTaken: Bool { flag.isSet }
    func take() { flag.set() }
}
