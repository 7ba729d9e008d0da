import Matrix

/// The rules for names that users choose for themselves.
enum Username {
    /// The user that a chosen name stands for. Capitals are made small, as the specification allows.
    ///
    /// - Throws: 400 `M_INVALID_USERNAME`.
    static func userID(for name: String, on server: ServerName) throws(MatrixError) -> UserID {
        let localpart = lowercased(name)
        guard let user = UserID(localpart: localpart, server: server), user.isStrict else {
            throw MatrixError(
                400, .invalidUsername, "A user name consists of a-z, 0-9 and . _ = - / +, and is not too long"
            )
        }
        guard localpart.utf8.first != UInt8(ascii: "_") else {
            throw MatrixError(400, .invalidUsername, "Names that begin with _ are for application services")
        }
        guard !localpart.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw MatrixError(400, .invalidUsername, "A user name has at least one character that is no digit")
        }
        return user
    }

    /// A name with ASCII capitals made small; other letters have no place in names.
    static func lowercased(_ name: String) -> String {
        guard name.utf8.contains(where: { (0x41...0x5A).contains($0) }) else { return name }
        return String(decoding: name.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
