import Crypto
import Matrix

extension FederationTransaction {
    /// Names what the transaction carries, in 22 characters that need no escaping in a path: the same for the same
    /// events and messages in the same order, whenever it is sent.
    public var fingerprint: String {
        var hash = SHA256()
        func add(_ bytes: some Collection<UInt8>) {
            // With its length, so that no two lists of parts are alike.
            withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Array(bytes))
        }
        add(origin.string.utf8)
        withUnsafeBytes(of: UInt64(pdus.count).littleEndian) { hash.update(bufferPointer: $0) }
        for pdu in pdus { add(pdu) }
        for edu in edus {
            add(edu.type.utf8)
            add(edu.content)
        }
        return Base64.encodeURLSafe(Array(hash.finalize().prefix(16)))
    }
}
