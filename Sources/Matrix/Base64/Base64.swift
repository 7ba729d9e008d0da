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
    public func encode(_ bytes: some Collection<UInt8>) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(Base64.encodedLength(bytes.count))
        append(bytes, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends the unpadded text for `bytes`.
    public func append(_ bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        var bits: UInt32 = 0
        var held = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            held += 8
            while held >= 6 {
                held -= 6
                out.append(digits[Int(bits >> UInt32(held)) & 63])
            }
        }
        if held > 0 { out.append(digits[Int(bits << UInt32(6 - held)) & 63]) }
    }

    /// The bytes that `text` stands for, or `nil` if it is not Base64. Padding may be there or not; the bits after the last whole
    /// byte are ignored, as some servers do not clear them.
    public func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var held = 0
        var length = 0
        var padding = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            let value = values[Int(byte)]
            guard value < 64, padding == 0 else { return nil }
            length += 1
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        guard length % 4 != 1, padding == 0 || (length + padding) % 4 == 0 && padding < 3 else { return nil }
        return out
    }
}
