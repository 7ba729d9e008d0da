import Matrix

/// How answers are read: each accessor says what is wrong with the answer, and none reads more than its bound.
extension JSON {
    /// The object inside, as old operations wrap it: `[200, {…}]`.
    func unwrapped() throws(MalformedAnswer) -> JSON {
        var elements = elements
        guard isArray, elements.next() != nil, let inside = elements.next(), inside.isObject else {
            throw MalformedAnswer("is no list of a status and an object")
        }
        return inside
    }

    func requiredObject(_ name: String) throws(MalformedAnswer) -> JSON {
        guard let value = self[name], value.isObject else { throw MalformedAnswer("has no object \(name)") }
        return value
    }

    func requiredString(_ name: String) throws(MalformedAnswer) -> String {
        guard let value = self[name]?.string else { throw MalformedAnswer("has no text \(name)") }
        return value
    }

    func requiredInteger(_ name: String) throws(MalformedAnswer) -> Int64 {
        guard let value = self[name]?.int else { throw MalformedAnswer("has no integer \(name)") }
        return value
    }

    func requiredIdentifier<I: Identifier>(_ name: String) throws(MalformedAnswer) -> I {
        guard let identifier = I(try requiredString(name)) else {
            throw MalformedAnswer("has something invalid as \(name)")
        }
        return identifier
    }

    /// The elements of a list, at most so many.
    func list(_ name: String, atMost limit: Int) throws(MalformedAnswer) -> [JSON] {
        guard let value = self[name], value.isArray else { throw MalformedAnswer("has no list \(name)") }
        var list: [JSON] = []
        for element in value.elements {
            guard list.count < limit else { throw MalformedAnswer("has more than \(limit) \(name)") }
            list.append(element)
        }
        return list
    }

    /// The texts of a list of events. What is no object or far too large is left out: it is no event.
    func events(_ name: String, atMost limit: Int = AnswerLimits.events) throws(MalformedAnswer) -> [[UInt8]] {
        try list(name, atMost: limit).compactMap { AnswerLimits.isEvent($0) ? Array($0.bytes) : nil }
    }

    /// A list of identifiers; what is none is left out.
    func identifiers<I: Identifier>(
        _ name: String, atMost limit: Int = AnswerLimits.events
    ) throws(MalformedAnswer) -> [I] {
        try list(name, atMost: limit).compactMap { $0.string.flatMap { I($0) } }
    }
}

/// How much of an answer is read.
enum AnswerLimits {
    /// Events or their identifiers in one answer: more than the state of any room that is known of.
    static let events = 500_000
    /// Servers in one answer.
    static let servers = 50_000
    /// Stripped events that describe a room.
    static let strippedState = 200
    /// An event has at most 64 KiB; `unsigned`, which does not count, may add to that.
    private static let eventBytes = 256 << 10

    static func isEvent(_ json: JSON) -> Bool { json.isObject && json.bytes.count <= eventBytes }
}
