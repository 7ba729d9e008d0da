/// What a CAS server says of a ticket.
enum CASResponse {
    private static let namespace = "http://www.yale.edu/tp/cas"
    /// Where the user is: nothing at any other depth can be it.
    private static let path = ["serviceResponse", "authenticationSuccess", "user"]

    /// The user of a successful validation; `nil` for a failure, and for what is no such response.
    static func user(in bytes: [UInt8]) -> String? {
        do {
            var reader = try XMLReader(bytes)
            var open: [String] = []
            var users: [String] = []
            while let piece = try reader.next() {
                switch piece {
                case .start(let name, let namespace):
                    open.append(namespace == Self.namespace ? name : "\(name) of another vocabulary")
                    if open == path { users.append("") }
                case .end: open.removeLast()
                case .text(let text) where open == path: users[users.count - 1] += text
                case .text: break
                }
            }
            guard users.count == 1 else { return nil }
            let isSpace = { (byte: UInt8) in byte <= 0x20 }
            let trimmed = users[0].utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
            return trimmed.isEmpty ? nil : String(decoding: Array(trimmed), as: UTF8.self)
        } catch {
            return nil
        }
    }
}
