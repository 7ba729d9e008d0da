extension EventBuilder {
    /// The event as one server proposes it to another, which is to hash, sign and name it.
    ///
    /// [make_join](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_joinroomiduserid) and its like.
    public var template: JSONValue {
        var template: JSONValue = [
            "type": .string(type.string), "sender": .string(sender.string), "content": content.value,
            "origin_server_ts": .integer(originServerTS), "depth": .integer(depth),
            "prev_events": references(prevEvents), "auth_events": references(authEvents),
        ]
        template["room_id"] = roomID.map { .string($0.string) }
        template["state_key"] = stateKey.map { .string($0.string) }
        template["origin"] = origin.map { .string($0.string) }
        return template
    }

    /// Takes a template over, all but what this server decides by itself: sender, type, state key, content and time.
    ///
    /// - Parameter template: The event as another server proposes it, an object.
    /// - Throws: ``EventError`` if what the graph needs is not in it.
    public mutating func follow(template: JSON) throws(EventError) {
        guard let depth = template["depth"]?.int, depth >= 0 else { throw .invalid(.depth) }
        self.depth = depth
        prevEvents = try takeReferences(of: template["prev_events"], .prevEvents, atMost: Event.maximumPrevEvents)
        authEvents = try takeReferences(of: template["auth_events"], .authEvents, atMost: Event.maximumAuthEvents)
    }

    private func references(_ events: [EventID]) -> JSONValue {
        .array(
            events.map { event in
                guard version.eventFormat == .v1 else { return .string(event.string) }
                let hash = referenceHashes[event] ?? []
                return [.string(event.string), hash.isEmpty ? [:] : ["sha256": .string(Base64.encode(hash))]]
            })
    }

    private mutating func takeReferences(
        of list: JSON?, _ field: EventField, atMost limit: Int
    ) throws(EventError) -> [EventID] {
        guard let list, list.isArray else { throw .missing(field) }
        guard list.count <= limit else { throw .tooManyReferences(field, count: list.count) }
        var events: [EventID] = []
        for element in list.elements {
            var id: JSON? = element
            if version.eventFormat == .v1 {
                var parts = element.elements.makeIterator()
                id = parts.next()
                guard let event = id?.string.flatMap({ EventID($0) }), let hashes = parts.next(), hashes.isObject
                else { throw .invalid(field) }
                let hash = hashes["sha256"]?.string.flatMap(Base64.decode)
                // Synapse leaves out those of auth events that it has not at hand. Nobody checks them.
                guard hash != nil || field == .authEvents else { throw .invalid(field) }
                referenceHashes[event] = hash ?? []
            }
            guard let event = id?.string.flatMap({ EventID($0) }) else { throw .invalid(field) }
            events.append(event)
        }
        return events
    }
}
