/// What a receipt says.
///
/// [Receipts](https://spec.matrix.org/v1.19/client-server-api/#receipts).
public enum ReceiptType: String, Sendable, CaseIterable {
    /// Read, and everyone in the room may know.
    case read = "m.read"
    /// Read, and only the reader's own devices know.
    case readPrivate = "m.read.private"
    /// The reader's bookmark: kept as account data.
    case fullyRead = "m.fully_read"
}
