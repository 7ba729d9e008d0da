/// What holds for the texts in a request: paths and queries decode and encode to themselves, identifiers keep their text and their
/// parts make it up again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequest(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    if let text = PercentEncoding.decode(input) {
        precondition(PercentEncoding.decode(Array(PercentEncoding.encode(text).utf8)) == text, "encoding loses text")
        check(text)
    }
    if let query = QueryItems(parsing: input) {
        for item in query.items {
            precondition(query[item.name] != nil, "an item is not found by its name")
            check(item.value)
        }
    }
    check(String(decoding: input, as: UTF8.self))
    checkBase64(input)
    return 0
}

private func check(_ text: String) {
    if let user = UserID(text) {
        precondition(user.string.utf8.elementsEqual(text.utf8))
        precondition("@\(user.localpart):\(user.server)".utf8.elementsEqual(text.utf8), "a user's parts")
        precondition(UserID(trusted: text)?.server == user.server && ServerName(user.server.string) == user.server)
        precondition(user.isLocal(to: user.server))
    }
    if let name = ServerName(text) {
        let trusted = ServerName(trusted: text)
        precondition(trusted.host == name.host && trusted.port == name.port, "a trusted server name reads differently")
        precondition(name.string.utf8.starts(with: name.host.utf8))
        _ = name.isAddressLiteral
    }
    if let alias = RoomAlias(text) {
        precondition("#\(alias.localpart):\(alias.server)".utf8.elementsEqual(text.utf8), "an alias' parts")
    }
    if let room = RoomID(text) { precondition(room == RoomID(trusted: text) && room.string.utf8.count <= 255) }
    if let event = EventID(text) { precondition(event == EventID(trusted: text) && event.string.utf8.count <= 255) }
    if let key = SigningKeyID(text) {
        precondition("\(key.algorithm):\(key.name)".utf8.elementsEqual(text.utf8), "a key's parts")
    }
    if let key = SigningKey(fileLine: text) {
        precondition(SigningKey(fileLine: key.fileLine)?.publicKey == key.publicKey, "a key does not survive its line")
    }
    _ = IPAddress(text)
}

private func checkBase64(_ input: [UInt8]) {
    for base64 in [Base64.standard, .urlSafe] {
        precondition(base64.decode(base64.encode(input).utf8) == input, "Base64 loses bytes")
        if let bytes = base64.decode(input) { precondition(bytes.count == input.filter { $0 != 0x3D }.count * 3 / 4) }
    }
}
