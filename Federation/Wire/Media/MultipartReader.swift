import Matrix

/// Reads the two parts that a file is sent in, while they arrive: what is said of the file, and the file or where to get it.
///
/// [GET /media/download/{mediaId}](https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid),
/// [RFC 2046, section 5.1](https://www.rfc-editor.org/rfc/rfc2046#section-5.1)
public struct MultipartReader: Sendable {
    /// What has been read.
    public enum Output: Sendable, Hashable {
        /// The header fields of the file's part, names in lower case.
        case head([Field])
        /// Bytes of the file.
        case content([UInt8])
        /// The file's end.
        case end
    }

    /// A header field.
    public struct Field: Sendable, Hashable {
        /// The name, in lower case.
        public let name: String
        /// The value, without white space around it.
        public let value: String

        /// A field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    private enum State {
        /// Before the first boundary.
        case preamble
        /// In the header of a part: the first or the second.
        case header(part: Int)
        /// In the content of the first part, which is left alone.
        case metadata
        /// In the file.
        case file
        case finished
    }

    private var state = State.preamble
    private let delimiter: [UInt8]
    private var buffer: [UInt8] = []
    /// What has been passed over before the file.
    private var skipped = 0

    private static let maximumHeaderBytes = 16 << 10
    private static let maximumSkippedBytes = 128 << 10

    /// A reader.
    ///
    /// - Parameter contentType: The answer's `Content-Type`.
    /// - Returns: `nil` unless it is `multipart/mixed` with a boundary.
    public init?(contentType: String) {
        let fields = Self.parameters(contentType)
        guard fields.type == "multipart/mixed", let boundary = fields.parameters["boundary"],
            (1...70).contains(boundary.utf8.count)
        else { return nil }
        delimiter = Array("\r\n--\(boundary)".utf8)
        // The first boundary may stand at the very beginning, without the line's end that belongs to the others.
        buffer = Array("\r\n".utf8)
    }

    /// Takes the next bytes of the body.
    ///
    /// - Throws: ``MalformedAnswer`` if it is not of the form that the specification gives.
    public mutating func receive(_ bytes: some Sequence<UInt8>) throws(MalformedAnswer) -> [Output] {
        buffer += bytes
        var output: [Output] = []
        while try step(&output) {}
        return output
    }

    /// Says that the body has ended.
    ///
    /// - Throws: ``MalformedAnswer`` if the file has not.
    public func finish() throws(MalformedAnswer) {
        guard case .finished = state else { throw MalformedAnswer("breaks off") }
    }

    private mutating func step(_ output: inout [Output]) throws(MalformedAnswer) -> Bool {
        switch state {
        case .preamble: return try skip(to: .header(part: 1))
        case .metadata: return try skip(to: .header(part: 2))
        case .header(let part): return try readHeader(part, &output)
        case .file: return readFile(&output)
        case .finished:
            buffer = []
            return false
        }
    }

    /// Passes over everything up to and including the next boundary.
    private mutating func skip(to next: State) throws(MalformedAnswer) -> Bool {
        guard let start = find(delimiter) else {
            let passed = max(buffer.count - delimiter.count + 1, 0)
            skipped += passed
            buffer.removeFirst(passed)
            guard skipped <= Self.maximumSkippedBytes else { throw MalformedAnswer("has too much before the file") }
            return false
        }
        buffer.removeFirst(start + delimiter.count)
        state = next
        return true
    }

    private mutating func readHeader(_ part: Int, _ output: inout [Output]) throws(MalformedAnswer) -> Bool {
        if buffer.starts(with: "--".utf8) { throw MalformedAnswer("has no file") }
        // White space may follow a boundary, then the line's end; a part may have no fields at all.
        guard let end = find(Array("\r\n\r\n".utf8)) else {
            guard buffer.count <= Self.maximumHeaderBytes else { throw MalformedAnswer("has too long a header") }
            return false
        }
        guard end <= Self.maximumHeaderBytes else { throw MalformedAnswer("has too long a header") }
        let fields = Self.fields(buffer[..<end])
        buffer.removeFirst(end + 4)
        // The line's end before the next boundary may be the one that ends an empty content.
        if part == 1 {
            buffer.insert(contentsOf: "\r\n".utf8, at: 0)
            state = .metadata
        } else {
            output.append(.head(fields))
            buffer.insert(contentsOf: "\r\n".utf8, at: 0)
            dropsLeadingLineEnd = true
            state = .file
        }
        return true
    }

    /// Whether the two bytes at the beginning of the buffer are not the file's: they were put there so that a boundary directly after the
    /// header is found.
    private var dropsLeadingLineEnd = false

    private mutating func readFile(_ output: inout [Output]) -> Bool {
        let lead = dropsLeadingLineEnd ? 2 : 0
        guard let start = find(delimiter) else {
            // What could be the beginning of the boundary is kept back.
            let ready = buffer.count - delimiter.count + 1
            guard ready > lead else { return false }
            output.append(.content(Array(buffer[lead..<ready])))
            buffer.removeFirst(ready)
            dropsLeadingLineEnd = false
            return false
        }
        if start > lead { output.append(.content(Array(buffer[lead..<start]))) }
        output.append(.end)
        buffer = []
        state = .finished
        return false
    }

    private func find(_ pattern: [UInt8]) -> Int? {
        guard buffer.count >= pattern.count else { return nil }
        return buffer.withUnsafeBufferPointer { buffer in
            pattern.withUnsafeBufferPointer { pattern in
                var at = 0
                let last = buffer.count - pattern.count
                while at <= last {
                    if buffer[at] == pattern[0] {
                        var length = 1
                        while length < pattern.count, buffer[at + length] == pattern[length] { length += 1 }
                        if length == pattern.count { return at }
                    }
                    at += 1
                }
                return nil
            }
        }
    }

    // MARK: Header fields

    private static func fields(_ bytes: ArraySlice<UInt8>) -> [Field] {
        String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap { line in
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            return Field(
                name: trimmed(line[..<colon]).lowercased(), value: trimmed(line[line.utf8.index(after: colon)...]))
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        var end = start
        while let last = end.last, last == 0x20 || last == 0x09 { end.removeLast() }
        return String(end) ?? ""
    }

    /// A type and its parameters, all in lower case but for the values.
    private static func parameters(_ field: String) -> (type: String, parameters: [String: String]) {
        var parts = field.split(separator: ";", omittingEmptySubsequences: false)
        let type = trimmed(parts.removeFirst()).lowercased()
        var parameters: [String: String] = [:]
        for part in parts.prefix(8) {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            var value = trimmed(pair[1])
            if value.utf8.count >= 2, value.utf8.first == UInt8(ascii: "\""), value.utf8.last == UInt8(ascii: "\"") {
                value = String(value.dropFirst().dropLast())
            }
            parameters[trimmed(pair[0]).lowercased()] = value
        }
        return (type, parameters)
    }
}
