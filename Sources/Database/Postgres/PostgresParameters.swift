import CLibpq
import Glibc

/// The type numbers of PostgreSQL that we send or receive.
enum PostgresType {
    static let bool: Oid = 16
    static let bytea: Oid = 17
    static let name: Oid = 19
    static let int8: Oid = 20
    static let int2: Oid = 21
    static let int4: Oid = 23
    static let text: Oid = 25
    static let oid: Oid = 26
    static let json: Oid = 114
    static let unknown: Oid = 705
    static let int8Array: Oid = 1016
    static let textArray: Oid = 1009
    static let bpchar: Oid = 1042
    static let varchar: Oid = 1043
    static let numeric: Oid = 1700
    static let jsonb: Oid = 3802

    static func of(_ type: SQLType) -> Oid {
        switch type {
        case .integer: int8
        case .text: text
        case .blob: bytea
        case .integerList: int8Array
        case .textList: textArray
        }
    }
}

/// The parameters of one statement in PostgreSQL's binary format, in one buffer that is used again.
struct PostgresParameters {
    /// The type of each parameter; the Swift type tells it even for a null.
    private(set) var types: [Oid] = []
    private var bytes: [UInt8] = []
    /// Where each parameter lies in `bytes`; nil is null.
    private var ranges: [Range<Int>?] = []

    mutating func encode(_ values: [any SQLBindable]) throws {
        types.removeAll(keepingCapacity: true)
        ranges.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 20)
        for value in values {
            let value = value.sqlValue
            types.append(PostgresType.of(value.type))
            let start = bytes.count
            if case .null = value {
                ranges.append(nil)
            } else {
                try append(value)
                ranges.append(start..<bytes.count)
            }
        }
    }

    private mutating func append(_ value: SQLValue) throws {
        switch value {
        case .null: break
        case .integer(let integer): appendBigEndian(integer)
        case .text(let text): try appendText(text)
        case .utf8(let utf8):
            try utf8.withUnsafeBytes { try TextRules.refuseNUL($0) }
            bytes.append(contentsOf: utf8)
        case .blob(let blob): bytes.append(contentsOf: blob)
        case .blobSlice(let slice): bytes.append(contentsOf: slice)
        case .integers(let integers):
            appendArrayHeader(PostgresType.int8, count: integers.count)
            for integer in integers {
                appendBigEndian(Int32(8))
                appendBigEndian(integer)
            }
        case .texts(let texts):
            appendArrayHeader(PostgresType.text, count: texts.count)
            for text in texts {
                appendBigEndian(Int32(clamping: text.utf8.count))
                try appendText(text)
            }
        }
    }

    private mutating func appendText(_ text: String) throws {
        var text = text
        try text.withUTF8 {
            try TextRules.refuseNUL(UnsafeRawBufferPointer($0))
            bytes.append(contentsOf: $0)
        }
    }

    /// Dimensions (none for an empty array), no nulls, element type; then length and lower bound.
    private mutating func appendArrayHeader(_ element: Oid, count: Int) {
        appendBigEndian(Int32(count == 0 ? 0 : 1))
        appendBigEndian(Int32(0))
        appendBigEndian(Int32(bitPattern: element))
        guard count > 0 else { return }
        appendBigEndian(Int32(clamping: count))
        appendBigEndian(Int32(1))
    }

    private mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Gives libpq the pointers it wants, valid during the call.
    func withPointers<R>(
        _ body: (
            Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
        ) -> R
    ) -> R {
        let count = ranges.count
        guard count > 0 else { return body(0, nil, nil, nil) }
        return bytes.withUnsafeBytes { buffer in
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { values in
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: count * 2) { numbers in
                    for (index, range) in ranges.enumerated() {
                        values.initializeElement(at: index, to: range.map { Self.pointer(buffer, $0.lowerBound) })
                        numbers.initializeElement(at: index, to: Int32(clamping: range?.count ?? 0))
                        numbers.initializeElement(at: count + index, to: 1)  // binary
                    }
                    let lengths = UnsafePointer(numbers.baseAddress)
                    return body(Int32(count), UnsafePointer(values.baseAddress), lengths, lengths.map { $0 + count })
                }
            }
        }
    }

    /// Where a value starts. Null would mean the value null, so an empty value points at any byte.
    private static func pointer(_ buffer: UnsafeRawBufferPointer, _ offset: Int) -> UnsafePointer<CChar> {
        if let base = buffer.baseAddress { return (base + offset).assumingMemoryBound(to: CChar.self) }
        return somewhere
    }

    nonisolated(unsafe) private static let somewhere: UnsafePointer<CChar> = {
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        byte.initialize(to: 0)
        return UnsafePointer(byte)
    }()
}
