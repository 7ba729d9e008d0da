import Matrix

/// Finds the route for a path: a tree with a level per segment.
///
/// On each level a segment that is written out comes before a parameter, and a parameter before a catch-all. Filled before the
/// server starts, read only afterwards.
public final class Router: @unchecked Sendable {
    // Written only through `add`, which the documentation forbids once the router serves.
    private let root = Node()
    let notFound: RouteEntry
    let notAllowed: RouteEntry
    let options: RouteEntry
    let malformed: RouteEntry

    /// A router without routes.
    public init() {
        notFound = RouteEntry(fixed: "unknown") { _ in throw MatrixError.unrecognized }
        notAllowed = RouteEntry(fixed: "unknown") { _ in throw MatrixError.methodNotAllowed }
        options = RouteEntry(fixed: "preflight") { _ in
            HTTPResponse(status: 204, headers: ["Access-Control-Max-Age": "86400"])
        }
        malformed = RouteEntry(fixed: "unknown") { _ in
            throw MatrixError.invalidParameter("The path or the query is not percent-encoded UTF-8")
        }
    }

    /// Serves a route. Not to be called once a server uses the router.
    ///
    /// - Precondition: The route is new, and its pattern begins with a slash.
    public func add(_ route: Route, options: RouteOptions = RouteOptions(), handler: @escaping RequestHandler) {
        precondition(route.pattern.utf8.first == slash, "a pattern begins with a slash: \(route.pattern)")
        var node = root
        var names: [String] = []
        for segment in route.pattern.utf8.dropFirst().split(separator: slash, omittingEmptySubsequences: false) {
            let text = String(segment) ?? ""
            if text.hasPrefix("{"), text.hasSuffix("...}") {
                names.append(String(text.dropFirst().dropLast(4)))
                node = node.makeCatchAll()
            } else if text.hasPrefix("{"), text.hasSuffix("}") {
                names.append(String(text.dropFirst().dropLast()))
                node = node.makeParameter()
            } else {
                node = node.makeChild(Array(segment))
            }
        }
        let entry = RouteEntry(route: route, parameterNames: names, options: options, handler: handler)
        precondition(node.entries[route.method] == nil, "the route exists already: \(route.pattern)")
        node.entries[route.method] = entry
    }

    /// The routes, in no particular order.
    public var routes: [Route] {
        var entries: [RouteEntry] = []
        root.collect(into: &entries)
        return entries.map(\.route)
    }

    var metrics: [RouteMetrics] {
        var entries = [notFound, notAllowed, options, malformed]
        root.collect(into: &entries)
        return entries.map(\.metrics)
    }

    /// Answers a request without a connection, for tests and for callers inside the process.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - target: Path and query.
    ///   - headers: The header fields.
    ///   - body: The body.
    ///   - errors: Turns what the handler throws into a response.
    public func respond(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], body: RequestBody = .bytes([]),
        errors: ErrorRenderer = ErrorRenderer()
    ) async -> HTTPResponse {
        let (match, target, query) = resolve(method, target: target)
        let request = HTTPRequest(
            method: method, target: target, query: query, headers: headers, body: body, pathParameters: match.parameters
        )
        var response = await errors.respond(to: request.id, method) { try await match.entry.handler(request) }
        while case .parked(let parked) = response.body {
            await withCheckedContinuation { continuation in parked.park { continuation.resume() } }
            response = await errors.respond(to: request.id, method) { try await parked.resume() }
        }
        return response
    }

    /// The route for a request's target, the target without scheme and authority, and the query.
    func resolve(_ method: HTTPMethod, target: String) -> (match: RouteMatch, target: String, query: QueryItems) {
        var target = target[...]
        // The absolute form, as sent to proxies: what follows the authority is the path.
        if target.utf8.first != slash, let scheme = target.utf8.firstIndex(of: UInt8(ascii: ":")),
            target[scheme...].utf8.starts(with: "://".utf8)
        {
            target = target[target.utf8.index(scheme, offsetBy: 3)...]
            target = target[(target.utf8.firstIndex { $0 == slash || $0 == questionMark } ?? target.endIndex)...]
            if target.utf8.first != slash { target = "/" + target }
        }
        let mark = target.utf8.firstIndex(of: questionMark) ?? target.endIndex
        let text = String(target)
        if method == .options { return (RouteMatch(entry: options, parameters: PathParameters()), text, .none) }
        guard let query = QueryItems(parsing: target.utf8[mark...].dropFirst()) else {
            return (RouteMatch(entry: malformed, parameters: PathParameters()), text, .none)
        }
        return (match(method, path: target[..<mark]), text, query)
    }

    private func match(_ method: HTTPMethod, path: Substring) -> RouteMatch {
        guard path.utf8.first == slash else { return RouteMatch(entry: notFound, parameters: PathParameters()) }
        var search = Search(method: method)
        for segment in path.utf8.dropFirst().split(separator: slash, omittingEmptySubsequences: false) {
            guard let decoded = PercentEncoding.decode(segment) else {
                return RouteMatch(entry: malformed, parameters: PathParameters())
            }
            search.segments.append(decoded)
            guard search.segments.count <= Self.maximumSegments else {
                return RouteMatch(entry: notFound, parameters: PathParameters())
            }
        }
        guard let entry = search.descend(root, 0) else {
            return RouteMatch(
                entry: search.sawOtherMethod ? notAllowed : notFound, parameters: PathParameters())
        }
        return RouteMatch(
            entry: entry, parameters: PathParameters(Array(zip(entry.parameterNames, search.values)).map { ($0, $1) }))
    }

    /// Bounds the work for hostile paths. The longest path of the specification has 10 segments.
    private static let maximumSegments = 32
}

private let slash = UInt8(ascii: "/")
private let questionMark = UInt8(ascii: "?")

/// A route that was found, and what the path gave for its parameters.
struct RouteMatch {
    let entry: RouteEntry
    let parameters: PathParameters
}

/// A route, what serves it, and what is counted of it.
final class RouteEntry: Sendable {
    let route: Route
    let parameterNames: [String]
    let options: RouteOptions
    let handler: RequestHandler
    let metrics: RouteMetrics

    init(route: Route, parameterNames: [String], options: RouteOptions, handler: @escaping RequestHandler) {
        self.route = route
        self.parameterNames = parameterNames
        self.options = options
        self.handler = handler
        metrics = RouteMetrics(route: route)
    }

    /// What answers when there is no route: the same for every path, so that metrics stay bounded.
    convenience init(fixed name: String, handler: @escaping RequestHandler) {
        self.init(route: Route(.other, name), parameterNames: [], options: RouteOptions(), handler: handler)
    }
}

private final class Node {
    /// By length: most levels have few segments of one length.
    private var children: [[(segment: [UInt8], node: Node)]] = []
    private(set) var parameter: Node?
    private(set) var catchAll: Node?
    var entries: [HTTPMethod: RouteEntry] = [:]

    func child(_ segment: String) -> Node? {
        let length = segment.utf8.count
        guard length < children.count else { return nil }
        for (text, node) in children[length] where segment.utf8.elementsEqual(text) { return node }
        return nil
    }

    func makeChild(_ segment: [UInt8]) -> Node {
        if let node = child(String(decoding: segment, as: UTF8.self)) { return node }
        while children.count <= segment.count { children.append([]) }
        let node = Node()
        children[segment.count].append((segment, node))
        return node
    }

    func makeParameter() -> Node {
        if let parameter { return parameter }
        let node = Node()
        parameter = node
        return node
    }

    func makeCatchAll() -> Node {
        if let catchAll { return catchAll }
        let node = Node()
        catchAll = node
        return node
    }

    func collect(into found: inout [RouteEntry]) {
        found += entries.values
        for (_, node) in children.joined() { node.collect(into: &found) }
        parameter?.collect(into: &found)
        catchAll?.collect(into: &found)
    }
}

/// One walk down the tree.
private struct Search {
    let method: HTTPMethod
    var segments: [String] = []
    var values: [String] = []
    var sawOtherMethod = false

    mutating func descend(_ node: Node, _ depth: Int) -> RouteEntry? {
        guard depth < segments.count else { return entry(of: node) }
        let segment = segments[depth]
        if let child = node.child(segment), let found = descend(child, depth + 1) { return found }
        // An empty segment is a value only at the end: `/state/m.room.topic/` has the state key "".
        if let parameter = node.parameter, !segment.isEmpty || depth == segments.count - 1 {
            values.append(segment)
            if let found = descend(parameter, depth + 1) { return found }
            values.removeLast()
        }
        if let catchAll = node.catchAll, let found = entry(of: catchAll) {
            values.append(segments[depth...].joined(separator: "/"))
            return found
        }
        return nil
    }

    private mutating func entry(of node: Node) -> RouteEntry? {
        if let entry = node.entries[method] { return entry }
        if method == .head, let entry = node.entries[.get] { return entry }
        if !node.entries.isEmpty { sawOtherMethod = true }
        return nil
    }
}
