import Matrix

/// The types of account data that the server itself knows.
public enum AccountDataType {
    /// The conversations between two.
    public static let direct = "m.direct"
    /// Up to where a room's reader has read; the server keeps it.
    public static let fullyRead = "m.fully_read"
    /// Whom the user does not want to hear of.
    public static let ignoredUserList = "m.ignored_user_list"
    /// When the user is notified; the server keeps it.
    public static let pushRules = "m.push_rules"
    /// The tags of a room.
    public static let tag = "m.tag"

    /// Whether only the server may write items of that type.
    ///
    /// [Server behaviour](https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-12).
    static func isServerManaged(_ type: String) -> Bool {
        ExactString(type) == ExactString(fullyRead) || ExactString(type) == ExactString(pushRules)
    }
}
