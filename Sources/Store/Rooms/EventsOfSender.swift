import Database
import Matrix

extension EventReader {
    /// How many events are looked at for one page of a sender's.
    private static let stretch = 20_000

    /// The events of a sender among the next ones that this server knows. There is no index for it: whoever wants all of them goes
    /// through all events, a stretch at a time.
    ///
    /// - Parameters:
    ///   - sender: Who sent them.
    ///   - after: Where the stretch before ended.
    /// - Returns: The events, and where the stretch ends; `nil` if no event comes after.
    public func events(
        of sender: UserNumber, after: EventNumber
    ) throws -> (events: [StoredEvent], end: EventNumber?) {
        let end = try sql.first(
            """
            SELECT MAX(n.num) FROM (SELECT num FROM events WHERE num > $1 ORDER BY num LIMIT $2) AS n
            """, after, Self.stretch
        ) { try $0.numberOrNil(0, as: EventNumber.self) }
        guard let end = end ?? nil else { return ([], nil) }
        let numbers = try sql.all(
            "SELECT num FROM events WHERE num > $1 AND num <= $2 AND sender_num = $3 ORDER BY num", after, end, sender
        ) { try $0.number(0, as: EventNumber.self) }
        var found: [StoredEvent] = []
        for begin in stride(from: 0, to: numbers.count, by: 500) {
            found += try events(Array(numbers[begin..<min(begin + 500, numbers.count)]))
        }
        return (found.sorted { $0.number.rawValue < $1.number.rawValue }, end)
    }
}
