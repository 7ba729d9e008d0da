import Homeserver
import Matrix
import Store
import Web

/// [POST /search](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3search): what has been said in the caller's rooms.
struct Search: Endpoint {
    static let routes: [Route] = .client(.post, "/search")
    static let authentication: Authentication<Caller> = .required
    static let rateLimit: RateLimitClass = .search

    let search: SearchService
    let rendering: EventWriting
    let reads: ReadLog?

    struct Request: RequestDecodable {
        /// `nil` if nothing is searched for that there is.
        let query: SearchQuery?
        let groups: [Group]
        let address: String

        init(from input: RequestInput) throws {
            address = input.request.remoteAddress
            let categories = try input.body.required("search_categories", as: .object)
            guard let criteria = try categories.optional("room_events", as: .object) else {
                query = nil
                groups = []
                return
            }
            groups = try Self.groups(criteria)
            query = SearchQuery(
                term: try criteria.required("search_term", as: .string),
                keys: try criteria.optional("keys", as: .array(of: .searchKey)) ?? SearchKey.allCases,
                filter: try criteria.optional("filter", as: .object).map { try RoomEventFilter($0.json) } ?? .all,
                order: try criteria.optional("order_by", as: .choice) ?? .rank,
                context: try criteria.optional("event_context", as: .object).map { try Self.context($0) },
                includesState: try criteria.optional("include_state", as: .bool) ?? false,
                from: try input.query("next_batch", as: .string)
            )
        }

        private static let defaultContext: Int64 = 5

        private static func context(_ fields: JSONFields) throws -> SearchQuery.Context {
            func count(_ name: String) throws -> Int {
                let count = try fields.optional(name, as: .int) ?? defaultContext
                guard count >= 0 else { throw MatrixError.invalidParameter("\(name) must not be negative") }
                return Int(min(count, 1_000))
            }
            return SearchQuery.Context(
                before: try count("before_limit"), after: try count("after_limit"),
                includesProfiles: try fields.optional("include_profile", as: .bool) ?? false)
        }

        private static func groups(_ criteria: JSONFields) throws -> [Group] {
            guard let groupings = try criteria.optional("groupings", as: .object),
                let list = try groupings.optional("group_by", as: .array(of: .object))
            else { return [] }
            var groups: [Group] = []
            for entry in list {
                let group = try entry.required("key", as: JSONForm<Group>.choice)
                if !groups.contains(group) { groups.append(group) }
            }
            return groups
        }
    }

    /// By what results are grouped.
    enum Group: String {
        case room = "room_id"
        case sender

        func key(of event: StoredEvent) -> String {
            switch self {
            case .room: event.event.roomID.string
            case .sender: event.event.sender.string
            }
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> RawResponse {
        guard let query = request.query else { return RawResponse(Array(#"{"search_categories":{}}"#.utf8)) }
        let results = try await search.search(query, by: Requester(caller))
        if let reads {
            for event in results.results.map(\.event.event) {
                reads.note(
                    .messages, event.roomID.string, from: event.eventID.string, to: event.eventID.string, by: caller,
                    at: request.address)
            }
        }
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.key("search_categories")
        writer.beginObject()
        writer.key("room_events")
        writer.beginObject()
        writer.member("count", Int64(results.count))
        writer.member("highlights", JSONValue.array(results.highlights.map { .string($0) }))
        writer.member("next_batch", results.next)
        writer.key("results")
        writer.beginArray()
        for result in results.results { try await write(result, for: caller, into: &writer) }
        writer.endArray()
        if query.includesState {
            writer.key("state")
            writer.beginObject()
            for (room, events) in results.state {
                try await rendering.member(room.string, events, for: caller, into: &writer)
            }
            writer.endObject()
        }
        if !request.groups.isEmpty { write(request.groups, of: results, into: &writer) }
        writer.endObject()
        writer.endObject()
        writer.endObject()
        return RawResponse(writer.bytes)
    }

    private func write(
        _ result: SearchResults.Result, for caller: Caller, into writer: inout JSONWriter
    ) async throws {
        writer.beginObject()
        writer.key("rank")
        writer.writeRaw(Self.number(ofMillionths: result.rank))
        writer.key("result")
        writer.writeRaw(try await rendering.event(result.event, for: caller))
        if let context = result.context {
            writer.key("context")
            writer.beginObject()
            writer.member("start", context.start.text)
            writer.member("end", context.end.text)
            try await rendering.member("events_before", context.before, for: caller, into: &writer)
            try await rendering.member("events_after", context.after, for: caller, into: &writer)
            if !result.profiles.isEmpty { writer.member("profile_info", Self.profiles(result.profiles)) }
            writer.endObject()
        }
        writer.endObject()
    }

    private static func profiles(_ members: [StoredEvent]) -> JSONValue {
        var profiles: JSONValue = [:]
        for member in members {
            guard let user = member.event.stateKey else { continue }
            var profile: JSONValue = [:]
            for name in ["displayname", "avatar_url"] {
                if let text = member.event.content[name]?.string, !text.isEmpty { profile[name] = .string(text) }
            }
            profiles[user.string] = profile
        }
        return profiles
    }

    private func write(_ groups: [Group], of results: SearchResults, into writer: inout JSONWriter) {
        writer.key("groups")
        writer.beginObject()
        for group in groups {
            writer.key(group.rawValue)
            writer.beginObject()
            let byKey = Dictionary(grouping: results.results.map(\.event)) { ExactString(group.key(of: $0)) }
            let order = results.results.map { ExactString(group.key(of: $0.event)) }
            for (key, events) in byKey.sorted(by: { $0.key < $1.key }) {
                writer.key(key.string)
                writer.beginObject()
                writer.member("order", Int64((order.firstIndex(of: key) ?? 0) + 1))
                writer.key("results")
                writer.beginArray()
                for event in events { writer.write(event.event.eventID) }
                writer.endArray()
                writer.endObject()
            }
            writer.endObject()
        }
        writer.endObject()
    }

    /// A number of millionths as JSON has it.
    private static func number(ofMillionths millionths: Int64) -> [UInt8] {
        let value = max(0, millionths)
        let fraction = String(value % 1_000_000)
        return Array("\(value / 1_000_000).\(String(repeating: "0", count: 6 - fraction.utf8.count))\(fraction)".utf8)
    }
}

extension JSONForm where Value == SearchKey {
    /// The path of a text that can be searched.
    static var searchKey: Self {
        Self("content.body, content.name or content.topic") { json in
            switch json.string {
            case "content.body": .body
            case "content.name": .name
            case "content.topic": .topic
            default: nil
            }
        }
    }
}

extension Router {
    /// Serves the search of what has been said.
    public func addSearchRoutes(
        search: SearchService, store: Store, clock: any Clock, reads: ReadLog? = nil,
        in environment: EndpointEnvironment
    ) {
        add(
            Search(search: search, rendering: EventWriting(store: store, clock: clock), reads: reads), in: environment)
    }
}
