import Homeserver
import Matrix
import Store
import Web

extension ReadLog {
    /// Notes that a caller has read something.
    ///
    /// - Parameters:
    ///   - kind: What kind of thing.
    ///   - subject: The room, or the file's URI.
    ///   - first: Where a page began.
    ///   - last: Where it ended.
    ///   - caller: Who.
    ///   - address: From where.
    func note(
        _ kind: ReadRecord.Kind, _ subject: String, from first: String? = nil, to last: String? = nil,
        by caller: Caller,
        at address: String
    ) {
        note(kind, subject, from: first, to: last, by: caller.user, device: caller.deviceID, address: address)
    }
}
