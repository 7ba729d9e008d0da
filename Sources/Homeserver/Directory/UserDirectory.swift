import Matrix
import Store

/// How people are searched for.
public struct UserDirectoryPolicy: Sendable {
    /// Whether users find everybody that this server knows, and not only whom they share a room with and who is in a room that is open to
    /// everybody.
    public var findsEverybody: Bool
    /// Whether users of other servers are left out.
    public var isLocalOnly: Bool

    /// A policy.
    public init(findsEverybody: Bool = false, isLocalOnly: Bool = false) {
        self.findsEverybody = findsEverybody
        self.isLocalOnly = isLocalOnly
    }
}

/// Finds people by name.
///
/// [User directory](https://spec.matrix.org/v1.19/client-server-api/#user-directory)
public struct UserDirectory: Sendable {
    private let store: Store
    private let cursor: JournalCursor
    private let policy: UserDirectoryPolicy
    private let serverName: ServerName

    /// People who are looked at to find the best.
    private static let maximumCandidates = 500
    private static let maximumLimit = 50
    private static let maximumTermBytes = 512
    private static let patienceMilliseconds: Int64 = 1_000

    /// - Parameter cursor: Takes in who has come; what it has not seen yet is waited for a moment.
    public init(store: Store, cursor: JournalCursor, policy: UserDirectoryPolicy, serverName: ServerName) {
        self.store = store
        self.cursor = cursor
        self.policy = policy
        self.serverName = serverName
    }

    /// People whose name or identifier has words that begin with those of the term, the best first.
    ///
    /// - Returns: Them, and whether there are more.
    public func search(
        _ term: String, limit: Int, by user: Requester
    ) async throws -> (users: [DirectoryUser], isLimited: Bool) {
        guard term.utf8.count <= Self.maximumTermBytes else {
            throw MatrixError.invalidParameter("search_term may have \(Self.maximumTermBytes) bytes at most")
        }
        let query = UserDirectoryQuery(term)
        let limit = min(max(limit, 1), Self.maximumLimit)
        guard let word = query.words.max(by: { $0.utf8.count < $1.utf8.count }) else { return ([], false) }
        await cursor.catchUp(withinMilliseconds: Self.patienceMilliseconds)
        let (policy, own) = (policy, serverName)
        let candidates = try await store.read { reader in
            try reader.userDirectory.users(
                beginningWith: word, for: user.number, findsAll: policy.findsEverybody,
                server: policy.isLocalOnly ? own : nil, limit: Self.maximumCandidates)
        }
        let found = candidates.compactMap { candidate in query.rank(candidate).map { (rank: $0, user: candidate) } }
            .sorted { ($1.rank, $0.user.userID) < ($0.rank, $1.user.userID) }
        return (
            found.prefix(limit).map(\.user), found.count > limit || candidates.count == Self.maximumCandidates
        )
    }
}

/// What is searched for, cut into words.
struct UserDirectoryQuery {
    /// The words that must occur.
    let words: [String]
    private let term: String
    /// Whether it is (the beginning of) an identifier.
    private let isIdentifier: Bool
    /// The beginning of the server's name in that.
    private let server: String?

    private static let maximumWords = 10

    init(_ text: String) {
        var text = text.lowercased()
        var server: String?
        isIdentifier = text.utf8.first == UInt8(ascii: "@")
        if isIdentifier {
            text.removeFirst()
            if let colon = text.firstIndex(of: ":") {
                server = String(text[text.index(after: colon)...])
                text = String(text[..<colon])
            }
        }
        while text.last?.isWhitespace == true { text.removeLast() }
        while text.first?.isWhitespace == true { text.removeFirst() }
        term = text
        self.server = server
        words = Array(Words.words(of: text).prefix(Self.maximumWords))
    }

    /// How well somebody fits: the more, the better; `nil` if they do not.
    func rank(_ user: DirectoryUser) -> Int? {
        let localpart = user.userID.localpart.lowercased()
        let name = user.displayName?.lowercased() ?? ""
        if let server, !user.userID.server.string.utf8.starts(with: server.utf8) { return nil }
        if isIdentifier, !localpart.utf8.starts(with: term.utf8) { return nil }
        let own = Words.words(of: localpart) + Words.words(of: name)
        for word in words where !own.contains(where: { $0.utf8.starts(with: word.utf8) }) { return nil }
        var rank = 0
        if ExactString(localpart) == ExactString(term) || ExactString(name) == ExactString(term) { rank += 16 }
        if words.allSatisfy({ word in own.contains { ExactString($0) == ExactString(word) } }) { rank += 8 }
        if localpart.utf8.starts(with: term.utf8) || name.utf8.starts(with: term.utf8) { rank += 4 }
        if user.displayName != nil { rank += 2 }
        if user.avatarURL != nil { rank += 1 }
        return rank
    }
}
