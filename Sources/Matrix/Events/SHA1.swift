import Crypto

/// The broken hash function by whose values state resolution of room version 1 breaks ties. Good for nothing else.
public enum SHA1 {
    /// The 20 bytes of a text's hash.
    public static func digest(of bytes: [UInt8]) -> [UInt8] { Array(Insecure.SHA1.hash(data: bytes)) }
}
