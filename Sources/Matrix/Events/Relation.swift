/// How an event says that it relates to another: the `m.relates_to` of its content.
///
/// [Forming relationships between events](https://spec.matrix.org/v1.19/client-server-api/#forming-relationships-between-events). A rich reply
/// has no `rel_type` and is none.
public struct Relation: Sendable, Hashable {
    /// The `rel_type`.
    public let type: ExactString
    /// The event that it relates to.
    public let target: EventID
    /// The `key` of an `m.annotation`.
    public let key: ExactString?

    /// An event replaces another.
    public static let replacement: ExactString = "m.replace"
    /// An event annotates another: a reaction.
    public static let annotation: ExactString = "m.annotation"
    /// An event is part of the thread that begins with another.
    public static let thread: ExactString = "m.thread"
    /// An event refers to another.
    public static let reference: ExactString = "m.reference"

    /// The relation that a content states; `nil` if it states none, or one that is not of the form that it must have.
    public init?(content: JSON) {
        guard let relation = content["m.relates_to"], let type = relation["rel_type"]?.string, Self.isShort(type),
            let target = relation["event_id"]?.string.flatMap({ EventID($0) })
        else { return nil }
        self.type = ExactString(type)
        self.target = target
        guard self.type == Self.annotation else {
            key = nil
            return
        }
        guard let key = relation["key"]?.string, !key.utf8.contains(0) else { return nil }
        self.key = ExactString(key)
    }

    private static func isShort(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= Event.maximumFieldBytes && !text.utf8.contains(0)
    }
}

extension Event {
    /// How the event relates to another, if it does.
    public var relation: Relation? { Relation(content: content) }

    /// Whether the event has what a replacement must have beside a relation to what it replaces. Of an encrypted one that cannot be seen.
    ///
    /// [Validity of replacement events](https://spec.matrix.org/v1.19/client-server-api/#validity-of-replacement-events)
    public var canReplace: Bool {
        !isState && (type == .encrypted || content["m.new_content"]?.isObject == true)
    }
}
