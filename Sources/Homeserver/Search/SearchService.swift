import Matrix
import RoomEngine
import Store

/// Searches what has been said in the rooms that a user may read.
public struct SearchService: Sendable {
    private let rooms: RoomService
    private let cursor: JournalCursor

    private var store: Store { rooms.store }

    private static let defaultLimit = 10
    private static let maximumLimit = 50
    private static let maximumContext = 20
    private static let maximumTermBytes = 1_024
    /// Matches that are looked at for one page, where many are not to be shown.
    private static let pageSize = 100
    private static let maximumPages = 10
    private static let maximumCount = 10_000
    private static let patienceMilliseconds: Int64 = 1_000

    /// - Parameter cursor: Takes in what is said; what it has not seen yet is waited for a moment.
    public init(rooms: RoomService, cursor: JournalCursor) {
        self.rooms = rooms
        self.cursor = cursor
    }

    /// A page of what matches.
    public func search(_ query: SearchQuery, by user: Requester) async throws -> SearchResults {
        guard query.term.utf8.count <= Self.maximumTermBytes else {
            throw MatrixError.invalidParameter("search_term may have \(Self.maximumTermBytes) bytes at most")
        }
        let place = try query.from.map { try SearchPlace(parsing: $0) }
        cursor.requestFollowUp()
        await cursor.catchUp(withinMilliseconds: Self.patienceMilliseconds)
        let terms = SearchTerms(
            query.term, rooms: try await searchable(query.filter, by: user), keys: query.keys)
        guard !terms.words.isEmpty, !terms.rooms.isEmpty, !terms.keys.isEmpty else { return SearchResults(count: 0) }
        var results = SearchResults(count: 0)
        try await fill(&results, terms, query, place, by: user)
        results.count = max(results.results.count, try await count(terms, by: user))
        results.highlights = Self.highlights(of: results.results.map(\.event), terms)
        if let context = query.context {
            for index in results.results.indices {
                try await addContext(context, to: &results.results[index], query.filter, by: user)
            }
        }
        if query.includesState { try await addState(to: &results, by: user) }
        return results
    }

    /// How many events match, in rooms of which the user may see all: in others the number would tell what was said while they were not
    /// there.
    private func count(_ terms: SearchTerms, by user: Requester) async throws -> Int {
        let counts = try await store.read { reader in
            try reader.search.counts(terms, limit: Self.maximumCount).filter { room, _ in
                try reader.memberships.membership(of: user.number, in: room)?.membership == .join
            }
        }
        var sum = 0
        for (room, count) in counts {
            let visibility = HistoryVisibility(
                of: try await rooms.view(room).event(StateKey(.historyVisibility))?.event)
            if visibility == .shared || visibility == .worldReadable { sum += count }
        }
        return sum
    }

    /// The rooms that a user is or was in, as far as the filter wants them.
    private func searchable(_ filter: RoomEventFilter, by user: Requester) async throws -> [RoomNumber] {
        let records = try await store.read { try $0.memberships.rooms(of: user.number) }
        var found: [RoomNumber] = []
        for record in records where !record.isForgotten {
            guard [.join, .leave, .ban].contains(record.membership),
                filter.rooms.allows(try await store.room(record.room))
            else { continue }
            found.append(record.room)
        }
        return found
    }

    /// Looks for as many results as are wanted, page by page, since many matches may not be for this user.
    private func fill(
        _ results: inout SearchResults, _ terms: SearchTerms, _ query: SearchQuery, _ start: SearchPlace?,
        by user: Requester
    ) async throws {
        let limit = min(max(query.filter.limit ?? Self.defaultLimit, 1), Self.maximumLimit)
        let ignored = try await store.read { try IgnoredUsers.load(user.number, $0) }
        var place = start
        for _ in 0..<Self.maximumPages {
            let page = try await page(terms, query.order, from: place)
            let events = try await events(page, query.filter, ignored, by: user)
            for hit in page {
                place = Self.next(query.order, place, hit)
                guard let event = events[hit.event] else { continue }
                results.results.append(.init(rank: hit.rank, event: event))
                guard results.results.count == limit else { continue }
                // Perhaps of an empty page: clients are used to that.
                results.next = place?.text
                return
            }
            if page.count < Self.pageSize { return }
        }
        results.next = place?.text
    }

    private func page(
        _ terms: SearchTerms, _ order: SearchQuery.Order, from place: SearchPlace?
    ) async throws -> [SearchHit] {
        try await store.read { reader in
            switch (order, place) {
            case (.rank, .offset(let offset)):
                return try reader.search.best(terms, offset: offset, limit: Self.pageSize)
            case (.rank, nil): return try reader.search.best(terms, offset: 0, limit: Self.pageSize)
            case (.recent, .after(let time, let event)):
                return try reader.search.latest(terms, before: (time, event), limit: Self.pageSize)
            case (.recent, nil): return try reader.search.latest(terms, before: nil, limit: Self.pageSize)
            case (.rank, .after), (.recent, .offset):
                throw MatrixError.invalidParameter("order_by must stay as it was")
            }
        }
    }

    private static func next(_ order: SearchQuery.Order, _ place: SearchPlace?, _ hit: SearchHit) -> SearchPlace {
        switch order {
        case .recent: return .after(originServerTS: hit.originServerTS, event: hit.event)
        case .rank:
            if case .offset(let offset) = place { return .offset(offset + 1) }
            return .offset(1)
        }
    }

    /// Those of a page that are wanted and that the user may see.
    private func events(
        _ page: [SearchHit], _ filter: RoomEventFilter, _ ignored: Set<UserID>, by user: Requester
    ) async throws -> [EventNumber: StoredEvent] {
        var byRoom: [RoomNumber: [StoredEvent]] = [:]
        for event in try await store.events(page.map(\.event)).values {
            let room = try await store.room(event.room)
            guard event.status == .accepted, event.redactedBy == nil, !ignored.contains(event.event.sender),
                filter.allows(
                    type: event.event.type, sender: event.event.sender, room: room, content: event.event.content)
            else { continue }
            byRoom[event.room, default: []].append(event)
        }
        var found: [EventNumber: StoredEvent] = [:]
        for (room, events) in byRoom {
            let seen = try await EventVisibility(store: store).visible(
                events, in: room, to: user.number, id: user.id)
            for event in try await filter.related(seen, store: store) { found[event.number] = event }
        }
        return found
    }

    /// The words of the results that match, as they are written there but in small letters.
    private static func highlights(of events: [StoredEvent], _ terms: SearchTerms) -> [String] {
        var found: Set<ExactString> = []
        for event in events {
            guard let (_, text) = SearchKey.text(of: event.event) else { continue }
            for word in Words.words(of: text) where terms.matches(word) { found.insert(ExactString(word)) }
        }
        return found.sorted().map(\.string)
    }

    // MARK: What is told beside results

    private func addContext(
        _ wanted: SearchQuery.Context, to result: inout SearchResults.Result, _ filter: RoomEventFilter,
        by user: Requester
    ) async throws {
        let event = result.event
        let context = try await rooms.context(
            of: event.event.eventID, in: event.event.roomID, before: min(wanted.before, Self.maximumContext),
            after: min(wanted.after, Self.maximumContext), filter: .all, by: user)
        result.context = context
        guard wanted.includesProfiles else { return }
        let senders = Set((context.before + [event] + context.after).map(\.event.sender))
        guard let state = event.timelineState else { return }
        let map = try await store.state(state)
        var members: [EventNumber] = []
        for sender in senders {
            if let key = try await store.number(of: .member(sender)), let member = map[key] { members.append(member) }
        }
        result.profiles = try await store.events(members).values.sorted { $0.number < $1.number }
    }

    private func addState(to results: inout SearchResults, by user: Requester) async throws {
        for room in Set(results.results.map(\.event.event.roomID)).sorted() {
            results.state.append((room, try await rooms.state(of: room, by: user)))
        }
    }
}
