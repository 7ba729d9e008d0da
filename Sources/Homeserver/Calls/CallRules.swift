import Matrix
import RoomEngine
import Store

/// What the administrator has decided about calls. It binds this server's own users, also those of application services; what comes from other
/// servers is as it is.
public struct CallRules: Sendable {
    /// What a client is told beside `M_FORBIDDEN`, in the member of this name.
    static let code = "fr.gouv.chappe.errcode"

    /// The power that it takes to start a call, beside what the room asks for; `nil`: none.
    public var startLevel: Int64?
    /// The hosts that calls may lead to; `nil`: all.
    public var services: [ServerPattern]?
    /// How many may be in a call; `nil`: as many as come.
    public var maximumMembers: Int?
    /// How long a call may take, in milliseconds; `nil`: as long as it does.
    public var maximumMilliseconds: Int64?

    /// Whether members of new rooms may say that they are in a call, which takes a moderator's power otherwise.
    public var letsMembersCall = false

    private static let maximumMemberEvents = 2_000

    /// Rules.
    public init(
        startLevel: Int64? = nil, services: [ServerPattern]? = nil, maximumMembers: Int? = nil,
        maximumMilliseconds: Int64? = nil
    ) {
        self.startLevel = startLevel
        self.services = services
        self.maximumMembers = maximumMembers
        self.maximumMilliseconds = maximumMilliseconds
    }

    /// The power that events about calls take in rooms that are made here, unless their creators say otherwise.
    var levelsOfNewRooms: [(EventType, Int64)] {
        let members: [(EventType, Int64)] = letsMembersCall ? [("org.matrix.msc3401.call.member", 0)] : []
        return members + (startLevel.map { [(.call, $0)] } ?? [])
    }

    /// Judges an event before it is made.
    ///
    /// - Parameters:
    ///   - draft: What somebody wants to send.
    ///   - view: The room as it is.
    ///   - now: The time, in milliseconds since 1970.
    /// - Throws: 403 `M_FORBIDDEN`; `fr.gouv.chappe.errcode` says which rule it breaks.
    func check(_ draft: EventDraft, in view: RoomView, at now: Int64) async throws {
        let content = draft.content
        if CallEvents.members.contains(draft.type) {
            guard CallEvents.isMember(content, sentAt: now, at: now) else { return }
            try checkLinks(content)
            try checkDuration(content)
            try await checkMembers(draft, in: view, at: now)
        } else if CallEvents.calls.contains(draft.type) {
            guard draft.stateKey != nil, !CallEvents.isOver(content) else { return }
            try checkLinks(content)
            try checkMayStart(draft.sender, in: view)
        } else if CallEvents.notifications.contains(draft.type) {
            try checkLinks(content)
            try checkMayStart(draft.sender, in: view)
        } else if CallEvents.widgets.contains(draft.type), CallEvents.isConference(content) {
            try checkWidget(content)
            try checkMayStart(draft.sender, in: view)
        }
    }

    /// Whether a user has the power to start a call.
    ///
    /// - Throws: 403 `M_FORBIDDEN`.
    func checkMayStart(_ user: UserID, in view: RoomView) throws {
        guard let startLevel, let levels = view.powerLevels, levels.level(of: user) < .level(startLevel) else { return }
        throw Self.refusal(
            "FR.GOUV.CHAPPE_CALL_NEEDS_POWER", "Starting a call needs a power level of \(startLevel) on this server")
    }

    // MARK: Where it leads

    private func checkLinks(_ content: JSON) throws {
        guard services != nil else { return }
        for link in Self.links(in: content) { try checkLink(link) }
    }

    /// Clients show a Jitsi within a page of their own, whose address says nothing; the conference is at the domain beside it.
    private func checkWidget(_ content: JSON) throws {
        guard services != nil else { return }
        let domain = content["data"]?["domain"]?.string
        if let domain { try checkLink("https://\(domain)/") }
        for link in Self.links(in: content) {
            let page = link.prefix { $0 != "?" && $0 != "#" }
            if domain != nil, page.utf8.suffix(11).elementsEqual("/jitsi.html".utf8) { continue }
            try checkLink(link)
        }
    }

    /// - Throws: 403 `M_FORBIDDEN` for a link to a host that is not one of ``services``.
    func checkLink(_ link: String) throws {
        guard let services else { return }
        if let host = Self.host(of: link), services.contains(where: { $0.covers(host) }) { return }
        throw Self.refusal(
            "FR.GOUV.CHAPPE_FOREIGN_CONFERENCE",
            "Calls on this server do not lead to \(Self.host(of: link)?.string ?? link)")
    }

    private static func host(of link: String) -> ServerName? {
        guard let colon = link.firstIndex(of: ":") else { return nil }
        let rest = link[link.index(after: colon)...]
        guard rest.utf8.starts(with: "//".utf8) else { return nil }
        let authority = rest.dropFirst(2).prefix { !"/?#\\".contains($0) }
        // "allowed@elsewhere" leads elsewhere: it is no server's name.
        return ServerName(authority.lowercased())
    }

    /// Every text of an event that is the address of something on the web, wherever it stands.
    private static func links(in content: JSON) -> [String] {
        if let text = content.string {
            let start = text.utf8.prefix(8).map { $0 | 0x20 }
            let isLink = ["http://", "https://", "ws://", "wss://"].contains { start.starts(with: $0.utf8) }
            return isLink ? [text] : []
        }
        if content.isArray { return content.elements.flatMap { links(in: $0) } }
        if content.isObject { return content.members.flatMap { links(in: $0.value) } }
        return []
    }

    // MARK: How long, and how many

    private func checkDuration(_ content: JSON) throws {
        guard let maximumMilliseconds, let expires = content["expires"]?.int, expires > maximumMilliseconds else {
            return
        }
        throw Self.refusal(
            "FR.GOUV.CHAPPE_CALL_TOO_LONG", "Calls on this server take at most \(maximumMilliseconds / 1_000) seconds")
    }

    private func checkMembers(_ draft: EventDraft, in view: RoomView, at now: Int64) async throws {
        guard maximumMembers != nil || startLevel != nil else { return }
        let others = try await Self.others(than: draft, in: view, at: now)
        // Who comes first starts it.
        if others == 0 { try checkMayStart(draft.sender, in: view) }
        guard let maximumMembers, others >= maximumMembers else { return }
        throw Self.refusal("FR.GOUV.CHAPPE_CALL_FULL", "Calls on this server have at most \(maximumMembers) members")
    }

    /// How many are in calls of the room beside the one whom an event is about.
    private static func others(than draft: EventDraft, in view: RoomView, at now: Int64) async throws -> Int {
        let store = view.store
        let entries = view.head.state.map { ($0.key, $0.value) }
        let numbers = try await store.read { reader in
            try entries.filter { CallEvents.members.contains(try reader.identifiers.stateKey($0.0).type) }.map(\.1)
        }
        let stored = try await store.events(numbers.filter { view.pending[$0] == nil })
        var count = 0
        for event in numbers.compactMap({ view.pending[$0] ?? stored[$0] }) where event.event.stateKey != draft.stateKey
        {
            count += CallEvents.isMember(event.event.content, sentAt: event.event.originServerTS, at: now) ? 1 : 0
        }
        let sticky = try await store.stickyEvents(
            in: [view.head.number], after: StreamPosition(0), through: store.journal.end, now: now,
            limit: maximumMemberEvents)
        var last: [StickyMember: Bool] = [:]
        for event in sticky where event.event.stateKey == nil && CallEvents.members.contains(event.event.type) {
            let content = event.event.content
            last[StickyMember(event.event.sender, content)] = CallEvents.isMember(
                content, sentAt: event.event.originServerTS, at: now)
        }
        if draft.stateKey == nil { last[StickyMember(draft.sender, draft.content)] = nil }
        return count + last.values.count { $0 }
    }

    /// Whose membership an event that sticks is about.
    private struct StickyMember: Hashable {
        let sender: UserID
        let key: ExactString?

        init(_ sender: UserID, _ content: JSON) {
            self.sender = sender
            key = (content["msc4354_sticky_key"] ?? content["sticky_key"])?.string.map { ExactString($0) }
        }
    }

    static func refusal(_ code: String, _ message: String) -> MatrixError {
        MatrixError(403, .forbidden, message, extra: [Self.code: .string(code)])
    }
}
