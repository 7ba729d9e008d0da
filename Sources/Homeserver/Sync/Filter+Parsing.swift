import Matrix

extension Filter {
    /// The longest text of a filter, in bytes.
    public static let maximumBytes = 65_536

    /// Parses a filter's text.
    ///
    /// - Throws: 400 `M_NOT_JSON`; 400 `M_BAD_JSON` when it is no filter; 400 `M_INVALID_PARAM` when a value is out of range.
    public convenience init(parsing bytes: [UInt8]) throws(MatrixError) {
        guard bytes.count <= Self.maximumBytes else {
            throw MatrixError(413, .tooLarge, "A filter may have \(Self.maximumBytes) bytes at most")
        }
        let json: JSON
        do { json = try JSON(parsing: bytes) } catch { throw MatrixError.notJSON("The filter is not JSON: \(error)") }
        try self.init(json)
    }

    /// Reads a filter.
    ///
    /// - Throws: 400 `M_BAD_JSON` when it is no filter; 400 `M_INVALID_PARAM` when a value is out of range.
    public convenience init(_ json: JSON) throws(MatrixError) {
        let reader = try FilterReader(json, at: "filter")
        let fields = try reader.strings("event_fields").map { EventFieldSelection($0) }
        var format = EventFormat.client
        if let name = try reader.string("event_format") {
            guard let known = EventFormat(rawValue: name) else {
                throw MatrixError.badJSON("event_format must be client or federation")
            }
            format = known
        }
        var presence = EventFilter.all
        var accountData = EventFilter.all
        var room = RoomFilter.all
        if let section = try reader.object("presence") { presence = try EventFilter(section) }
        if let section = try reader.object("account_data") { accountData = try EventFilter(section) }
        if let section = try reader.object("room") { room = try RoomFilter(section) }
        self.init(
            eventFields: fields, eventFormat: format, presence: presence, accountData: accountData, room: room)
    }
}

extension RoomFilter {
    fileprivate init(_ reader: FilterReader) throws(MatrixError) {
        self = .all
        rooms = try reader.rooms()
        includeLeave = try reader.bool("include_leave") ?? false
        if let section = try reader.object("ephemeral") { ephemeral = try RoomEventFilter(section) }
        if let section = try reader.object("state") { state = try RoomEventFilter(section) }
        if let section = try reader.object("timeline") { timeline = try RoomEventFilter(section) }
        if let section = try reader.object("account_data") { accountData = try RoomEventFilter(section) }
    }
}

extension EventFilter {
    fileprivate init(_ reader: FilterReader) throws(MatrixError) {
        self = .all
        limit = try reader.limit()
        types = TypeSelection(
            included: try reader.strings("types").map { TypePatterns($0) },
            excluded: TypePatterns(try reader.strings("not_types") ?? []))
        senders = try reader.selection("senders", of: UserID.self)
    }
}

extension RoomEventFilter {
    /// Parses a filter of a room's events, as `/messages`, `/context` and search take them.
    ///
    /// - Throws: As ``Filter/init(parsing:)``.
    public init(parsing text: String) throws(MatrixError) {
        guard text.utf8.count <= Filter.maximumBytes else {
            throw MatrixError(413, .tooLarge, "A filter may have \(Filter.maximumBytes) bytes at most")
        }
        let json: JSON
        do { json = try JSON(parsing: text) } catch { throw MatrixError.notJSON("The filter is not JSON: \(error)") }
        try self.init(json)
    }

    /// Reads a filter of a room's events.
    ///
    /// - Throws: As ``Filter/init(_:)``.
    public init(_ json: JSON) throws(MatrixError) { try self.init(FilterReader(json, at: "filter")) }

    fileprivate init(_ reader: FilterReader) throws(MatrixError) {
        self = .all
        events = try EventFilter(reader)
        rooms = try reader.rooms()
        containsURL = try reader.bool("contains_url")
        lazyLoadMembers = try reader.bool("lazy_load_members") ?? false
        includeRedundantMembers = try reader.bool("include_redundant_members") ?? false
        unreadThreadNotifications = try reader.bool("unread_thread_notifications") ?? false
        relatedByRelTypes = try reader.strings("related_by_rel_types").map { Set($0.map { ExactString($0) }) }
        relatedBySenders = try reader.identifiers("related_by_senders")
    }
}

/// Takes a filter's members out of JSON, and says where one is wrong.
private struct FilterReader {
    let json: JSON
    let path: String

    init(_ json: JSON, at path: String) throws(MatrixError) {
        guard json.isObject else { throw MatrixError.badJSON("\(path) must be an object") }
        self.json = json
        self.path = path
    }

    /// A member that is there; `null` counts as absent, as some clients write it.
    private func member(_ name: String) -> JSON? {
        guard let value = json[name], !value.isNull else { return nil }
        return value
    }

    func object(_ name: String) throws(MatrixError) -> FilterReader? {
        guard let value = member(name) else { return nil }
        return try FilterReader(value, at: "\(path).\(name)")
    }

    func bool(_ name: String) throws(MatrixError) -> Bool? {
        guard let value = member(name) else { return nil }
        guard let bool = value.bool else { throw MatrixError.badJSON("\(path).\(name) must be true or false") }
        return bool
    }

    func string(_ name: String) throws(MatrixError) -> String? {
        guard let value = member(name) else { return nil }
        guard let string = value.string else { throw MatrixError.badJSON("\(path).\(name) must be a string") }
        return string
    }

    func strings(_ name: String) throws(MatrixError) -> [String]? {
        guard let value = member(name) else { return nil }
        guard value.isArray else { throw MatrixError.badJSON("\(path).\(name) must be a list") }
        var strings: [String] = []
        for element in value.elements {
            guard let string = element.string else {
                throw MatrixError.badJSON("\(path).\(name) must be a list of strings")
            }
            strings.append(string)
        }
        return strings
    }

    func identifiers<I: Identifier>(_ name: String, of type: I.Type = I.self) throws(MatrixError) -> Set<I>? {
        guard let strings = try strings(name) else { return nil }
        var identifiers: Set<I> = []
        for string in strings {
            guard let identifier = I(string) else {
                throw MatrixError.badJSON("\(path).\(name) lists what is no \(I.self)")
            }
            identifiers.insert(identifier)
        }
        return identifiers
    }

    /// What is listed under `name` and excluded under `not_` and `name`.
    func selection<I: Identifier>(_ name: String, of type: I.Type) throws(MatrixError) -> Selection<I> {
        Selection(included: try identifiers(name), excluded: try identifiers("not_\(name)") ?? [])
    }

    func rooms() throws(MatrixError) -> Selection<RoomID> { try selection("rooms", of: RoomID.self) }

    /// The specification wants more than 0; clients that want no events at all send 0.
    func limit() throws(MatrixError) -> Int? {
        guard let value = member("limit") else { return nil }
        guard let limit = value.int else { throw MatrixError.badJSON("\(path).limit must be an integer") }
        guard limit >= 0 else { throw MatrixError.invalidParameter("\(path).limit must not be negative") }
        return Int(limit)
    }
}
