import Database
import Matrix

/// Those who go through the journal and remember in the database how far they have come.
public struct CursorName: Sendable, CustomStringConvertible {
    /// The name of its counter.
    let counter: String
    /// The name.
    public var description: String { counter }

    /// Finds out who can be found by name.
    public static let userDirectory = CursorName(counter: "user_directory")
    /// Finds out whom to push what.
    public static let push = CursorName(counter: "push")
    /// Finds out what can be searched for.
    public static let search = CursorName(counter: "search")
    /// Finds out what application services are told.
    public static let appServices = CursorName(counter: "app_services")
}

extension JournalReader {
    /// How far a cursor has come: everything up to there has been looked at.
    public func position(of cursor: CursorName) throws -> StreamPosition {
        let value = try sql.first("SELECT value FROM counters WHERE name = $1", cursor.counter) { try $0.int(0) }
        return StreamPosition(value ?? 0)
    }
}

extension StoreWriter {
    /// Notes how far a cursor has come.
    public func move(_ cursor: CursorName, to position: StreamPosition) throws {
        try sql.execute("UPDATE counters SET value = $1 WHERE name = $2", position, cursor.counter)
    }
}

extension JournalRow {
    /// A row as the stored journal has it, made of an entry that is in memory.
    public init(_ entry: JournalEntry) {
        position = entry.position
        subject =
            switch entry.change {
            case .event(let event, _): .event(event.number, event.room)
            case .receipt(let receipt): .receipt(receipt.user, receipt.room, type: receipt.type)
            case .deviceList(let user): .deviceList(user)
            case .presence(let user): .presence(user)
            case .memberships(let room, _): .memberships(room)
            case .toDevice(let message): .toDevice(message.user, message.device)
            case .oneTimeKeys(let user, let device): .oneTimeKeys(user, device)
            case .accountData, .deviceListView, .threadSubscription: .other
            }
    }
}
