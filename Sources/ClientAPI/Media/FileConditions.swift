import Web

/// What a client has of a file already, and which part it wants.
///
/// [RFC 9110, sections 13 and 14](https://www.rfc-editor.org/rfc/rfc9110#section-13).
struct FileConditions: Sendable {
    /// `If-None-Match`.
    var known: [String] = []
    /// `If-Range`.
    var rangeValidator: String?
    /// `Range`.
    var range: String?

    init(known: [String] = [], rangeValidator: String? = nil, range: String? = nil) {
        self.known = known
        self.rangeValidator = rangeValidator
        self.range = range
    }

    init(_ request: HTTPRequest) {
        self.init(
            known: request.headers.all("if-none-match"), rangeValidator: request.headers["if-range"],
            // A range says something about the body of GET alone.
            range: request.method == .get ? request.headers["range"] : nil)
    }

    /// Whether the client has the file with that entity tag.
    func matches(_ tag: String) -> Bool {
        for field in known {
            for item in field.split(separator: ",") {
                var item = item.drop { $0 == " " || $0 == "\t" }
                while item.last == " " || item.last == "\t" { item.removeLast() }
                if item == "*" { return true }
                // Proxies that compress weaken tags; for whole files that is as good.
                if item.hasPrefix("W/") { item = item.dropFirst(2) }
                if item.utf8.elementsEqual(tag.utf8) { return true }
            }
        }
        return false
    }

    /// The part of a file that is wanted.
    enum Part: Equatable {
        case all
        case some(Range<Int64>)
        /// Nothing that there is.
        case unsatisfiable
    }

    /// The part that is wanted of a file of `size` bytes with that entity tag.
    ///
    /// Of several parts at once, and of what is no range, the whole file is sent, as the RFC allows.
    func part(of size: Int64, tag: String) -> Part {
        guard let range, range.lowercased().hasPrefix("bytes=") else { return .all }
        if let rangeValidator, !rangeValidator.utf8.elementsEqual(tag.utf8) { return .all }
        let bounds = range.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2 else { return .all }
        switch (Bound(bounds[0]), Bound(bounds[1])) {
        case (.value(let first), .value(let last)) where first <= last:
            return first < size ? .some(first..<min(last + 1, size)) : .unsatisfiable
        case (.value(let first), .missing):
            return first < size ? .some(first..<size) : .unsatisfiable
        case (.missing, .value(let count)):
            return count > 0 && size > 0 ? .some(max(0, size - count)..<size) : .unsatisfiable
        default: return .all
        }
    }

    private enum Bound {
        case missing
        case value(Int64)
        case malformed

        init(_ text: Substring) {
            if text.isEmpty {
                self = .missing
            } else if text.utf8.count <= 18, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let value = Int64(text)
            {
                self = .value(value)
            } else {
                self = .malformed
            }
        }
    }
}
