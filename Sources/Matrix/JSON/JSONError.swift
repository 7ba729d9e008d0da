/// Why a text is not the JSON that Matrix accepts.
///
/// Offsets count bytes from the start of the text.
public enum JSONError: Error, Hashable, Sendable {
    /// The text ends in the middle of a value.
    case unexpectedEnd
    /// A byte that the grammar does not allow where it stands.
    case unexpectedByte(offset: Int)
    /// Something other than white space follows the value.
    case trailingBytes(offset: Int)
    /// Arrays and objects are nested deeper than the limit.
    case tooDeep(limit: Int)
    /// An object has the same key twice (compared after unescaping).
    case duplicateKey(offset: Int)
    /// A string holds bytes that are not UTF-8.
    case invalidUTF8(offset: Int)
    /// A `\u` escape stands for half of a surrogate pair.
    case loneSurrogate(offset: Int)
    /// An escape sequence that does not exist.
    case invalidEscape(offset: Int)
    /// A control character stands unescaped in a string.
    case controlCharacter(offset: Int)
    /// Where only integers are allowed: a fraction, an exponent, or an integer outside ±(2^53−1).
    case numberNotAllowed(offset: Int)
    /// The text is longer than the parser addresses (2 GiB).
    case tooLong
}
