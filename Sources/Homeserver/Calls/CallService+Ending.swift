import Matrix
import RoomEngine
import Store

extension CallService {
    /// Ends a room's call.
    ///
    /// - Parameter user: Who ends it; `nil`: the server, as whoever started it.
    /// - Throws: 404 `M_NOT_FOUND` if there is none; 403 for who is not in the room or has not the power.
    public func end(_ room: RoomID, service: String?, by user: Requester?) async throws {
        let conference = try conference(service)
        let number = try await rooms.number(of: room)
        if let user {
            guard try await rooms.view(number).membership(of: user.id) == .join else {
                throw MatrixError.forbidden("You are not in this room")
            }
        }
        guard let meeting = try await underWay(number, conference) else {
            throw MatrixError.notFound("There is no call in this room")
        }
        try await end(meeting, "ended", as: user)
    }

    /// Ends calls that have taken as long as calls may.
    func endLate() async throws {
        while true {
            let now = clock.now
            let late = try await store.read { try $0.meetings.ending(by: now, limit: 50) }
            for meeting in late { try await end(meeting, "max_duration", as: nil) }
            if late.count < 50 { return }
        }
    }

    /// Ends a call: its state says so, and its widget is taken away.
    ///
    /// - Parameters:
    ///   - user: Who ends it; `nil`: the server, as whoever started it or, if they cannot any more, somebody of this server who can.
    ///   - report: What told that it has ended: heard in the same transaction.
    func end(_ meeting: Meeting, _ reason: String, as user: Requester?, hearing report: String? = nil) async throws {
        let (now, rooms) = (clock.now, rooms)
        let alongside: @Sendable (StoreWriter) throws -> Void = { writer in
            if let report { try Self.hear(report, meeting.service, now, in: writer) }
            _ = try writer.meetings.end(meeting.room, at: meeting.service, reason: reason, at: now)
        }
        var ended = try await description(of: meeting)
        let state = try await rooms.view(meeting.room).event(StateKey(.call, meeting.callID))
        let isOpen = state.map { !CallEvents.isOver($0.event.content) } ?? false
        var speaker = user?.id
        if speaker == nil { speaker = try await self.speaker(for: meeting) }
        guard isOpen, let speaker, ended != nil else {
            // Nobody is left who could say it, or somebody has said it.
            return try await store.write { try alongside($0) }
        }
        ended?.end = (reason, now)
        ended?.participants = nil
        guard let content = ended?.state else { return }
        let widget = try await rooms.view(meeting.room).event(StateKey(.widget, meeting.callID))
        let hasWidget = widget.map { $0.event.content.count > 0 } ?? false
        let drafts =
            hasWidget ? [EventDraft(sender: speaker, state: .widget, key: meeting.callID, content: [:])] : []
        _ = try await rooms.announce(
            in: meeting.room,
            { EventDraft(sender: speaker, state: .call, key: meeting.callID, content: content) },
            then: { _ in drafts }, alongside: { writer, _ in try alongside(writer) })
    }

    static func hear(_ report: String, _ service: String, _ now: Int64, in writer: StoreWriter) throws {
        guard try writer.meetings.hear(report, from: service, at: now, forgetting: now - reportMilliseconds) else {
            throw HeardBefore()
        }
    }

    /// For how long it is remembered what services have told, in milliseconds: what is older is not heard at all.
    static let reportMilliseconds: Int64 = 86_400_000

    /// A service has told the same again.
    struct HeardBefore: Error {}

    /// Who can speak of a call for the server: whoever started it, or else another user of this server who is there and has the power.
    func speaker(for meeting: Meeting) async throws -> UserID? {
        let view = try await rooms.view(meeting.room)
        guard let levels = view.powerLevels else { return nil }
        if let starter = meeting.startedBy {
            let user = try await store.user(starter)
            if try await view.membership(of: user) == .join, levels.may(user, send: .call, isState: true) {
                return user
            }
        }
        let server = rooms.serverName
        let members = try await store.read { reader in
            try reader.memberships.users(in: meeting.room, .join, limit: 500).map { try reader.identifiers.user($0) }
        }
        return members.first { $0.isLocal(to: server) && levels.may($0, send: .call, isState: true) }
    }

    /// What is to be said of a meeting's call now; `nil` if there has been none.
    func description(of meeting: Meeting) async throws -> CallDescription? {
        guard let name = meeting.meetingID, let url = meeting.url, let starter = meeting.startedBy,
            let since = meeting.startedTS
        else { return nil }
        var call = CallDescription(
            callID: meeting.callID, service: meeting.service, url: url, meetingID: name,
            accessLevel: meeting.accessLevel, startedBy: try await store.user(starter), startedTS: since,
            isVideo: meeting.isVideo)
        if let text = meeting.recordings, let list = try? JSON(parsing: text) {
            call.recordings = list.elements.map(\.value)
        }
        if let ended = meeting.endedTS { call.end = (meeting.endReason ?? "ended", ended) }
        return call
    }
}
