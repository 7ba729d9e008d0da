/// What holds for every text that the parser accepts: canonical text is a fixed point, tape and tree agree on it, a value taken out
/// of its document is the same value.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let json = try? JSON(parsing: input) else {
        precondition((try? JSON(parsing: input, options: .canonical)) == nil, "strict accepts what lenient refuses")
        return 0
    }
    let isStrict = (try? JSON(parsing: input, options: .canonical)) != nil
    precondition(isStrict == json.hasOnlyCanonicalNumbers, "strict parsing and the check afterwards differ")

    let canonical = CanonicalJSON.text(of: json)
    guard let again = try? JSON(parsing: canonical) else { preconditionFailure("canonical text does not parse") }
    precondition(CanonicalJSON.text(of: again) == canonical, "canonical text is no fixed point")
    let tree = json.value
    precondition(CanonicalJSON.text(of: tree) == canonical, "tape and tree differ")
    precondition((try? JSON(parsing: tree.serialized()))?.value == tree, "a tree does not survive its text")
    if json.node.isCanonical { precondition(Array(json.bytes) == canonical, "marked as canonical, but is not") }

    let spaced = Array("[ ".utf8) + input + Array(" ]".utf8)
    if let array = try? JSON(parsing: spaced, options: JSONParserOptions(maximumDepth: 101)) {
        for element in array.elements {
            precondition(CanonicalJSON.text(of: element.detached()) == canonical, "detached values differ")
        }
    }
    for (name, member) in json.members {
        precondition(json[name].map { Array($0.bytes) } == Array(member.bytes), "a member is not found by its name")
    }
    _ = CanonicalJSON.text(of: json, omitting: ["signatures", "unsigned"])
    return 0
}
