/// The text of a statement, written once for both engines.
///
/// Parameters are `$1`, `$2`, …; `x IN list($1)` takes a `[Int64]`, `x IN textlist($1)` a `[String]` (both also after
/// `FROM`, with an alias, where they have one column `value`). `GREATEST`, `LEAST` and `FOR UPDATE` are understood on both.
/// What SQLite and PostgreSQL disagree on and no rewriting covers: write `flag = 1`, never `flag`; give `LIKE` an `ESCAPE`.
///
/// A literal is identified by its address, so that finding its prepared statement costs no hashing of the text.
public struct SQL: Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    private enum Storage {
        case fixed(StaticString)
        case text(String)
    }

    private let storage: Storage

    /// A statement known when compiling.
    public init(stringLiteral value: StaticString) {
        storage = value.hasPointerRepresentation ? .fixed(value) : .text(value.description)
    }

    /// A statement put together at run time. Never put outside data into it: that is what parameters are for.
    public init(_ text: String) {
        storage = .text(text)
    }

    /// The text as written.
    public var description: String {
        switch storage {
        case .fixed(let text): text.description
        case .text(let text): text
        }
    }

    /// What a prepared statement is found by.
    var key: StatementKey {
        switch storage {
        case .fixed(let text): .address(UInt(bitPattern: text.utf8Start), text.utf8CodeUnitCount)
        case .text(let text): .text(text)
        }
    }
}

/// Identity of a statement within a process. The linker may let one literal be the tail of another, hence the length.
enum StatementKey: Hashable {
    case address(UInt, Int)
    case text(String)

    // `String ==` follows Unicode equivalence; two statements are the same only byte for byte.
    static func == (left: StatementKey, right: StatementKey) -> Bool {
        switch (left, right) {
        case (.address(let a, let m), .address(let b, let n)): a == b && m == n
        case (.text(let a), .text(let b)): a.utf8.elementsEqual(b.utf8)
        default: false
        }
    }

    func hash(into hasher: inout Hasher) {
        switch self {
        case .address(let address, let length):
            hasher.combine(address)
            hasher.combine(length)
        case .text(var text):
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }
}
