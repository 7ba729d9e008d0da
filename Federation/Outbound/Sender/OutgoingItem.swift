import Matrix
import Store

/// Something of the journal that a destination has to be told.
struct OutgoingItem: Sendable {
    enum Content: Sendable {
        /// An event.
        case event(StoredEvent)
        /// Ends of a room that the destination was not known to be in when they were sent to others.
        case offer([EventNumber])
        /// A receipt of a user of this server.
        case receipt(ReceiptRecord)
        /// Announcements of devices are stored under this position.
        case devices
    }

    let position: StreamPosition
    let content: Content

    /// Whether it should not wait for company.
    var isUrgent: Bool {
        if case .receipt = content { return false }
        return true
    }
}

/// Whether a user is typing: of the moment, never kept for a destination that is down.
struct TypingNote: Sendable, Hashable {
    let room: RoomID
    let user: UserID
    let isTyping: Bool
}
