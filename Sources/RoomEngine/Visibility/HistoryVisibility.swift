import Matrix

/// Who may see what has been sent: `history_visibility` of
/// [`m.room.history_visibility`](https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility).
public enum HistoryVisibility: String, Sendable, Hashable, CaseIterable {
    /// Everyone, at any time.
    case worldReadable = "world_readable"
    /// Members, even of the time before they joined.
    case shared
    /// Members, from when they were invited.
    case invited
    /// Members, from when they joined.
    case joined

    /// What a state's event says. Without one, or with a value that is not understood, ``shared``.
    public init(of event: Event?) {
        let name = event?.content["history_visibility"]?.string.map { ExactString($0) }
        self = Self.allCases.first { ExactString($0.rawValue) == name } ?? .shared
    }
}
