import Homeserver
import Matrix
import Store
import Web

/// Reads the parts of a sliding sync's request that both of its forms have, within bounds: each costs memory for as long as the request
/// waits.
struct SlidingSyncForm {
    let form: SlidingSyncRequest.Form
    let user: UserID

    /// The most lists, and the most subscriptions.
    private static let listLimit = 100
    /// The most ranges of a list.
    private static let rangeLimit = 20
    /// The most elements that say which state is wanted of a room.
    private static let stateLimit = 256
    /// The most values of a filter, or of an extension's scope.
    private static let valueLimit = 100
    /// The longest name of a list or a connection, in bytes.
    private static let nameLimit = 255

    /// The most elements that say which state is wanted, in all of a request: each may be looked up for each room.
    private static let totalLimit = 2_000

    /// What is wanted of rooms.
    func rooms(
        _ body: JSONFields
    ) throws -> (lists: [ExactString: SlidingList], subscriptions: [RoomID: RoomConfig]) {
        let lists = try lists(body)
        let subscriptions = try subscriptions(body)
        let states = lists.values.map(\.config.state) + subscriptions.values.map(\.state)
        try check(states.reduce(0) { $0 + $1.size }, Self.totalLimit, "required_state, in all of the request,")
        let spaces = lists.values.reduce(0) { $0 + ($1.filter.spaces?.count ?? 0) }
        try check(spaces, Self.valueLimit, "spaces, in all of the request,")
        return (lists, subscriptions)
    }

    // MARK: Names

    func connection(_ body: JSONFields) throws -> ExactString {
        let name = try body.optional("conn_id", as: .string) ?? ""
        guard name.utf8.count <= Self.nameLimit else {
            throw MatrixError.invalidParameter("conn_id may have \(Self.nameLimit) bytes at most")
        }
        return ExactString(name)
    }

    // MARK: Lists

    private func lists(_ body: JSONFields) throws -> [ExactString: SlidingList] {
        let named = try body.optional("lists", as: .map(of: .object)) ?? []
        try check(named.count, Self.listLimit, "lists")
        var lists: [ExactString: SlidingList] = [:]
        for (name, fields) in named {
            guard !name.isEmpty, name.utf8.count <= Self.nameLimit else {
                throw MatrixError.invalidParameter("A list's name may have 1 to \(Self.nameLimit) bytes")
            }
            lists[ExactString(name)] = SlidingList(
                ranges: try ranges(fields), filter: try filter(fields), config: try config(fields))
        }
        return lists
    }

    private func ranges(_ fields: JSONFields) throws -> [ClosedRange<Int>]? {
        switch form {
        case .accepted:
            return try fields.optional("range", as: .any).map { [try range($0)] }
        case .experimental:
            if try fields.optional("slow_get_all_rooms", as: .bool) ?? false { return nil }
            guard let ranges = try fields.optional("ranges", as: .rawArray) else { return nil }
            try check(ranges.count, Self.rangeLimit, "ranges")
            return try ranges.elements.map { try range($0) }
        }
    }

    private func range(_ json: JSON) throws -> ClosedRange<Int> {
        let bounds = json.elements.map(\.int)
        guard json.isArray, bounds.count == 2, let first = bounds[0], let last = bounds[1] else {
            throw MatrixError.badJSON("A range must be an array of two integers")
        }
        guard first >= 0, last >= first else {
            throw MatrixError.invalidParameter("A range must begin at 0 or later, and not end before it begins")
        }
        return Int(first)...Int(last)
    }

    // MARK: Rooms

    private func subscriptions(_ body: JSONFields) throws -> [RoomID: RoomConfig] {
        let named = try body.optional("room_subscriptions", as: .map(of: .object)) ?? []
        try check(named.count, Self.listLimit, "room_subscriptions")
        var subscriptions: [RoomID: RoomConfig] = [:]
        for (name, fields) in named {
            guard let room = RoomID(name) else {
                throw MatrixError.invalidParameter("room_subscriptions has a key that is no room ID")
            }
            subscriptions[room] = try config(fields)
        }
        return subscriptions
    }

    private func config(_ fields: JSONFields) throws -> RoomConfig {
        let limit = try fields.required("timeline_limit", as: .int)
        guard limit >= 0 else { throw MatrixError.invalidParameter("timeline_limit must not be negative") }
        // The server may send fewer than are wanted.
        return RoomConfig(timelineLimit: Int(min(limit, 100)), state: try state(fields))
    }

    private func state(_ fields: JSONFields) throws -> RequiredState {
        switch form {
        case .experimental:
            let pairs = try fields.optional("required_state", as: .array(of: .pair)) ?? []
            try check(pairs.count, Self.stateLimit, "required_state")
            return RequiredState(pairs: pairs, for: user)
        case .accepted:
            let wanted = try fields.required("required_state", as: .object)
            let included = try patterns(wanted, "include")
            return RequiredState(
                including: included, excluding: try patterns(wanted, "exclude"),
                lazyMembers: try wanted.optional("lazy_members", as: .bool) ?? false)
        }
    }

    private func patterns(_ fields: JSONFields, _ name: String) throws -> [RequiredState.Pattern] {
        let elements = try fields.optional(name, as: .array(of: .object)) ?? []
        try check(elements.count, Self.stateLimit, name)
        return try elements.map { element in
            RequiredState.Pattern(
                type: try element.optional("type", as: .string).map { EventType($0) },
                key: try element.optional("state_key", as: .string).map { ExactString($0) })
        }
    }

    // MARK: Filters

    private func filter(_ fields: JSONFields) throws -> RoomListFilter {
        var filter = RoomListFilter()
        guard let fields = try fields.optional("filters", as: .object) else { return filter }
        filter.isDirect = try fields.optional("is_dm", as: .bool)
        filter.isEncrypted = try fields.optional("is_encrypted", as: .bool)
        filter.isInvited = try fields.optional(form == .accepted ? "is_invited" : "is_invite", as: .bool)
        filter.types = try values(fields, "room_types", .textOrNull).map { Set($0) }
        filter.notTypes = Set(try values(fields, "not_room_types", .textOrNull) ?? [])
        filter.tags = try values(fields, "tags", .text).map { Set($0) }
        filter.notTags = Set(try values(fields, "not_tags", .text) ?? [])
        // What is no room's ID is an unknown space: it has no rooms.
        filter.spaces = try values(fields, "spaces", .text).map { Set($0.compactMap { RoomID($0.string) }) }
        if form == .experimental { filter.nameLike = try fields.optional("room_name_like", as: .string) }
        return filter
    }

    private func values<Value>(_ fields: JSONFields, _ name: String, _ form: JSONForm<Value>) throws -> [Value]? {
        guard let values = try fields.optional(name, as: .array(of: form)) else { return nil }
        try check(values.count, Self.valueLimit, name)
        return values
    }

    // MARK: Extensions

    func extensions(_ body: JSONFields) throws -> SlidingExtensions {
        var extensions = SlidingExtensions()
        guard let fields = try body.optional("extensions", as: .object) else { return extensions }
        if let wanted = try enabled(fields, "to_device") {
            extensions.toDevice = .init(since: try since(wanted, "to_device"), limit: try limit(wanted))
        }
        if let wanted = try enabled(fields, "org.matrix.msc4354.sticky_events") {
            extensions.sticky = .init(since: try since(wanted, "sticky_events"), limit: try limit(wanted))
        }
        extensions.encryption = try enabled(fields, "e2ee") != nil
        extensions.accountData = try scope(fields, "account_data")
        extensions.receipts = try scope(fields, "receipts")
        extensions.typing = try scope(fields, "typing")
        if let wanted = try enabled(fields, "io.element.msc4308.thread_subscriptions") {
            extensions.threadSubscriptions = try limit(wanted)
        }
        return extensions
    }

    private func since(_ wanted: JSONFields, _ name: String) throws -> StreamPosition? {
        try wanted.optional("since", as: .string).map { text in
            guard let position = Int64(text), position >= 0 else {
                throw MatrixError.invalidParameter("extensions.\(name).since is none of this server's")
            }
            return StreamPosition(position)
        }
    }

    private func limit(_ wanted: JSONFields) throws -> Int {
        Int(max(1, min(try wanted.optional("limit", as: .int) ?? 100, 100)))
    }

    private func enabled(_ fields: JSONFields, _ name: String) throws -> JSONFields? {
        guard let wanted = try fields.optional(name, as: .object), try wanted.optional("enabled", as: .bool) ?? false
        else { return nil }
        return wanted
    }

    private func scope(_ fields: JSONFields, _ name: String) throws -> SlidingExtensions.RoomScope? {
        guard let wanted = try enabled(fields, name) else { return nil }
        let lists = try values(wanted, "lists", .text)
        let rooms = try values(wanted, "rooms", .text)
        return SlidingExtensions.RoomScope(
            lists: lists.flatMap { $0.contains("*") ? nil : Set($0) },
            rooms: rooms.flatMap { $0.contains("*") ? nil : Set($0.compactMap { RoomID($0.string) }) })
    }

    private func check(_ count: Int, _ limit: Int, _ name: String) throws {
        guard count <= limit else { throw MatrixError.invalidParameter("\(name) may have \(limit) entries at most") }
    }
}

extension JSONForm where Value == ExactString {
    /// A string, compared as bytes.
    fileprivate static var text: Self { Self("a string") { $0.string.map { ExactString($0) } } }
}

extension JSONForm where Value == ExactString? {
    /// A string, compared as bytes, or `null`.
    fileprivate static var textOrNull: Self {
        Self("a string or null") { json in
            if json.isNull { return .some(nil) }
            return json.string.map { .some(ExactString($0)) }
        }
    }
}

extension JSONForm where Value == (type: String, key: String) {
    /// A pair of type and state key.
    fileprivate static var pair: Self {
        Self("an array of two strings") { json in
            let texts = json.elements.map(\.string)
            guard json.isArray, texts.count == 2, let type = texts[0], let key = texts[1] else { return nil }
            return (type, key)
        }
    }
}
