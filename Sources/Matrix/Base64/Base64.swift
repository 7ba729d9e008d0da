/// Base64 without padding, in the standard and the URL-safe alphabet.
///
/// Decoding accepts padded text as well, and either fails or returns bytes: nothing is skipped.
/// [Unpadded Base64](https://spec.matrix.org/v1.19/appendices/#unpadded-base64).
public struct Base64: Sendable {
    /// `A-Z a-z 0-9 + /`
    public static let standard = Base64(alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    /// `A-Z a-z 0-9 - _`
    public static let urlSafe = Base64(alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

    private let digits: [UInt8]
    /// The value of each digit; 255 for bytes that are none.
    private let values: [UInt8]

    private init(alphabet: String) {
        digits = Array(alphabet.utf8)
        var values = [UInt8](repeating: 255, count: 256)
        for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
        self.values = values
    }

    /// The text for `bytes` in the standard alphabet, unpadded.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { standard.encode(bytes) }
    /// The text for `bytes` in the URL-safe alphabet, unpadded.
    public static func encodeURLSafe(_ bytes: some Collection<UInt8>) -> String { urlSafe.encode(bytes) }
    /// The bytes that `text`, in the standard alphabet, stands for; `nil` if it is not Base64.
    public static func decode(_ text: String) -> [UInt8]? { standard.decode(text.utf8) }
    /// The bytes that `text`, in the URL-safe alphabet, stands for; `nil` if it is not Base64.
    public static func decodeURLSafe(_ text: String) -> [UInt8]? { urlSafe.decode(text.utf8) }

    /// The length of the unpadded text for that many bytes.
    public static func encodedLength(_ count: Int) -> Int { (count * 4 + 2) / 3 }

    /// The unpadded text for `bytes`.
    public func encode(_ bytes: some Collection<UInt8>) -> String { encode(bytes, prefix: nil) }

    /// The unpadded text for `bytes` after an ASCII character.
    func encode(_ bytes: some Collection<UInt8>, prefix: UInt8?) -> String {
        let fast = bytes.withContiguousStorageIfAvailable { source in
            let length = Base64.encodedLength(source.count)
            return String(unsafeUninitializedCapacity: length + 1) { target in
                guard let prefix else { return write(source, to: target) }
                target[0] = prefix
                return 1 + write(source, to: UnsafeMutableBufferPointer(rebasing: target[1...]))
            }
        }
        return fast ?? encode(Array(bytes), prefix: prefix)
    }

    /// Writes the text for `source`, for which `target` has room, and returns its length.
    private func write(_ source: UnsafeBufferPointer<UInt8>, to target: UnsafeMutableBufferPointer<UInt8>) -> Int {
        digits.withUnsafeBufferPointer { digits in
            var written = 0
            var at = 0
            while at + 3 <= source.count {
                let bits = Int(source[at]) << 16 | Int(source[at + 1]) << 8 | Int(source[at + 2])
                target[written] = digits[bits >> 18]
                target[written + 1] = digits[bits >> 12 & 63]
                target[written + 2] = digits[bits >> 6 & 63]
                target[written + 3] = digits[bits & 63]
                at += 3
                written += 4
            }
            guard at < source.count else { return written }
            let second = at + 1 < source.count ? Int(source[at + 1]) : 0
            let bits = Int(source[at]) << 16 | second << 8
            target[written] = digits[bits >> 18]
            target[written + 1] = digits[bits >> 12 & 63]
            if at + 1 == source.count { return written + 2 }
            target[written + 2] = digits[bits >> 6 & 63]
            return written + 3
        }
    }

    /// The bytes that `text` stands for, or `nil` if it is not Base64. Padding may be there or not; the bits after the last whole
    /// byte are ignored, as some servers do not clear them.
    public func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        let fast = text.withContiguousStorageIfAvailable { decode($0) }
        return fast ?? Array(text).withUnsafeBufferPointer { decode($0) }
    }

    private func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var length = text.count
        while length > 0, text[length - 1] == UInt8(ascii: "=") { length -= 1 }
        let padding = text.count - length
        guard length % 4 != 1, padding == 0 || padding < 3 && text.count % 4 == 0 else { return nil }
        var isValid = true
        let out = values.withUnsafeBufferPointer { values in
            [UInt8](unsafeUninitializedCapacity: length * 3 / 4) { target, count in
                var bits: UInt32 = 0
                var held: UInt32 = 0
                for at in 0..<length {
                    let value = values[Int(text[at])]
                    if value >= 64 {
                        isValid = false
                        return
                    }
                    bits = bits << 6 | UInt32(value)
                    held += 6
                    if held >= 8 {
                        held -= 8
                        target[count] = UInt8(truncatingIfNeeded: bits >> held)
                        count += 1
                    }
                }
            }
        }
        return isValid ? out : nil
    }
}
