/// A query's items, decoded, in order. A name may occur several times.
public struct QueryItems: Sendable {
    /// The items in their order.
    public let items: [(name: String, value: String)]

    /// No items.
    public static let none = QueryItems([])

    /// These items.
    public init(_ items: [(name: String, value: String)]) { self.items = items }

    /// Parses what follows a URL's `?`, or `nil` for a broken escape or bytes that are not UTF-8.
    public init?(parsing query: some Collection<UInt8>) {
        guard !query.isEmpty else {
            self = .none
            return
        }
        var items: [(name: String, value: String)] = []
        for item in query.split(separator: UInt8(ascii: "&")) {
            let equals = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            guard let name = PercentEncoding.decode(item[..<equals], plusIsSpace: true),
                let value = PercentEncoding.decode(item[equals...].dropFirst(), plusIsSpace: true)
            else { return nil }
            items.append((name, value))
        }
        self.items = items
    }

    /// The first value of that name.
    public subscript(_ name: String) -> String? {
        items.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    /// Every value of that name, in order.
    public func all(_ name: String) -> [String] {
        items.filter { $0.name.utf8.elementsEqual(name.utf8) }.map(\.value)
    }
}
