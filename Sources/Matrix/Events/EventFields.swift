/// Where an event's members stand on the tape, found in one pass over the outermost object.
struct EventFields: Sendable {
    private var nodes = InlineArray<18, UInt32>(repeating: 0)

    /// Finds the members of an object.
    init(of json: JSON) {
        let document = json.document
        guard json.node.kind == .object else { return }
        var index = json.index + 1
        let end = Int(json.node.next)
        while index < end {
            if let field = EventField.named(by: document.nodes[index], in: document) {
                nodes[Int(field.rawValue)] = UInt32(index + 1)
            }
            index = Int(document.nodes[index + 1].next)
        }
    }

    /// Where the text of the member's value stands, or `nil` if there is none. `document` must be the one the fields were found in.
    func range(_ field: EventField, in document: JSONDocument) -> Range<Int>? {
        let index = nodes[Int(field.rawValue)]
        guard index != 0 else { return nil }
        let node = document.nodes[Int(index)]
        return node.kind == .string
            ? Int(node.start) - 1..<Int(node.end) + 1 : Int(node.start)..<Int(node.end)
    }

    /// The member's value, or `nil` if there is none. `document` must be the one the fields were found in.
    func value(_ field: EventField, in document: JSONDocument) -> JSON? {
        let index = nodes[Int(field.rawValue)]
        // The root is at 0, so no member can be.
        return index == 0 ? nil : JSON(document: document, index: Int(index))
    }
}
