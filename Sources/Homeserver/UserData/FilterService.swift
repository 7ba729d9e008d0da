import Matrix
import Store

/// The filters that clients upload once and name ever after.
///
/// [Filtering](https://spec.matrix.org/v1.19/client-server-api/#filtering).
public final class FilterService: Sendable {
    private struct Key: Hashable {
        let user: UserNumber
        let number: Int64
    }

    /// How many filters a user may keep; beyond it the oldest is forgotten, and clients upload it again.
    public static let maximumPerUser = 1_000

    private let store: Store
    private let parsed = GenerationalCache<Key, Filter>(budget: 16 << 20)

    /// A service.
    public init(store: Store) { self.store = store }

    /// Keeps a filter, and returns the name to call it by: the same for the same filter.
    ///
    /// - Throws: 400 `M_BAD_JSON` or `M_INVALID_PARAM` if it is no filter; 413 `M_TOO_LARGE`.
    public func upload(_ json: JSON, of user: UserID) async throws -> String {
        guard json.bytes.count <= Filter.maximumBytes else {
            throw MatrixError(413, .tooLarge, "A filter may have \(Filter.maximumBytes) bytes at most")
        }
        _ = try Filter(json)
        let user = try await store.intern(user)
        if let known = try await store.read({ try $0.filters.number(of: user, json: json) }) { return String(known) }
        return try await store.write { writer in
            String(try writer.filters.intern(json, of: user, limit: Self.maximumPerUser))
        }
    }

    /// A filter's text as it was uploaded.
    ///
    /// - Throws: 404 `M_NOT_FOUND`.
    public func json(_ id: String, of user: UserID) async throws -> [UInt8] {
        let user = try await store.intern(user)
        guard let number = Int64(id), let json = try await store.read({ try $0.filters.json(of: user, number: number) })
        else { throw MatrixError.notFound("There is no such filter") }
        return json
    }

    /// The filter that a `filter` parameter of `/sync` means: a text of JSON, or the name of one uploaded before.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` for a name that is unknown; 400 for JSON that is no filter.
    public func filter(_ parameter: String?, of user: UserNumber) async throws -> Filter {
        guard let parameter, !parameter.isEmpty else { return .all }
        if parameter.utf8.first == UInt8(ascii: "{") { return try Filter(parsing: Array(parameter.utf8)) }
        guard let number = Int64(parameter) else { throw Self.unknown }
        let key = Key(user: user, number: number)
        if let known = parsed[key] { return known }
        guard let json = try await store.read({ try $0.filters.json(of: user, number: number) }) else {
            throw Self.unknown
        }
        let filter = try Filter(parsing: json)
        parsed.insert(key, filter, cost: json.count + 512)
        return filter
    }

    private static let unknown = MatrixError.invalidParameter("There is no such filter")
}
