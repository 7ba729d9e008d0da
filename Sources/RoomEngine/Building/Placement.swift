import Matrix

/// Where a new event stands in its room's graph: what it follows, and how deep.
///
/// [PDUs](https://spec.matrix.org/v1.19/server-server-api/#pdus).
public struct Placement: Sendable, Hashable {
    /// An event that no other follows yet.
    public struct Extremity: Sendable, Hashable {
        /// The event.
        public let id: EventID
        /// Its depth.
        public let depth: Int64

        /// An event that no other follows yet.
        public init(id: EventID, depth: Int64) {
            self.id = id
            self.depth = depth
        }
    }

    /// The `prev_events`.
    public let prevEvents: [EventID]
    /// The `depth`.
    public let depth: Int64

    /// A place after the ends of the graph.
    ///
    /// An event can follow 20 others at most. Where more branches are open, it joins the ten highest, so that it comes after what
    /// people have just said, and the ten lowest, so that old branches are closed one after the other and none stays open for good.
    ///
    /// - Parameters:
    ///   - extremities: The events that no other follows, without those that were rejected or soft-failed.
    ///   - version: The room's version, which limits the depth.
    public init(after extremities: some Sequence<Extremity>, version: RoomVersion) {
        var ordered = extremities.sorted { ($0.depth, $0.id) > ($1.depth, $1.id) }
        if ordered.count > Event.maximumPrevEvents {
            let half = Event.maximumPrevEvents / 2
            ordered = Array(ordered.prefix(half) + ordered.suffix(Event.maximumPrevEvents - half))
        }
        prevEvents = ordered.map(\.id)
        // A forged depth must not make ours impossible: the highest there is stays where it is.
        let limit = version.strictCanonicalJSON ? JSON.maximumInteger : Int64.max
        let highest = ordered.first?.depth ?? 0
        depth = highest >= limit ? limit : highest + 1
    }
}
