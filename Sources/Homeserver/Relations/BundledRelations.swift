import Matrix
import Store

/// What is told together with events of the events that relate to them.
///
/// [Aggregations of child events](https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events)
struct BundledRelations: Sendable {
    /// What is told with one event.
    struct Bundle: Sendable {
        /// What replaces it.
        var replacement: StoredEvent?
        /// The thread that begins with it.
        var thread: Thread?
        /// What refers to it.
        var references: [EventID] = []

        var isEmpty: Bool { replacement == nil && thread == nil && references.isEmpty }
    }

    /// A thread.
    struct Thread: Sendable {
        let last: StoredEvent
        let count: Int
        let hasParticipated: Bool
    }

    private var bundles: [EventNumber: Bundle] = [:]

    /// References told with one event.
    private static let maximumReferences = 100

    /// What is told with an event, if there is something.
    subscript(_ event: EventNumber) -> Bundle? { bundles[event] }

    /// Nothing.
    init() {}

    /// Looks up what is told with events: nothing in rooms without relations, and otherwise a few queries for all of them together.
    init(_ events: [StoredEvent], for viewer: Viewer, store: Store) async throws {
        let related = try await store.roomsWithRelations(Set(events.map(\.room)))
        guard !related.isEmpty else { return }
        let parents = events.filter { related.contains($0.room) && Self.canHaveChildren($0.event) }
        guard !parents.isEmpty else { return }
        let found = try await store.read { try Found(parents, for: viewer.user, $0) }
        guard !found.isEmpty else { return }
        let shown = try await Self.visible(found.children, to: viewer, store: store)
        for parent in parents {
            if let bundle = found.bundle(of: parent, shown: shown, to: viewer) { bundles[parent.number] = bundle }
        }
        for last in found.lastEvents {
            guard bundles[last.number] == nil, let bundle = found.bundle(of: last, shown: shown, to: viewer) else {
                continue
            }
            bundles[last.number] = bundle
        }
    }

    /// State is told without what relates to it; nothing relates to a replacement or an annotation.
    private static func canHaveChildren(_ event: Event) -> Bool {
        guard !event.isState else { return false }
        guard let type = event.relation?.type else { return true }
        return type != Relation.replacement && type != Relation.annotation
    }

    /// Those of the events that the viewer may see, by their numbers.
    private static func visible(
        _ events: [StoredEvent], to viewer: Viewer, store: Store
    ) async throws -> [EventNumber: StoredEvent] {
        var shown: [EventNumber: StoredEvent] = [:]
        for (room, events) in Dictionary(grouping: events, by: \.room) {
            let seen = try await EventVisibility(store: store).visible(
                events, in: room, to: viewer.user, id: viewer.userID)
            for event in seen { shown[event.number] = event }
        }
        return shown
    }

    /// What the database has about some events.
    private struct Found: Sendable {
        private var kinds: [EventID: Set<ExactString>] = [:]
        private var replacements: [EventID: [StoredEvent]] = [:]
        private var threads: [EventID: ThreadSummary] = [:]
        private var references: [EventID: [StoredEvent]] = [:]
        /// The last events of the threads: what relates to those is told too.
        private(set) var lastEvents: [StoredEvent] = []

        var isEmpty: Bool { kinds.isEmpty }

        /// All events that relate to others here.
        var children: [StoredEvent] {
            replacements.values.flatMap { $0 } + references.values.flatMap { $0 } + lastEvents
        }

        init(_ parents: [StoredEvent], for viewer: UserNumber, _ reader: StoreReader) throws {
            try look(parents, reader)
            guard !kinds.isEmpty else { return }
            let ignored = try IgnoredUsers.load(viewer, reader).compactMap { try reader.identifiers.number(of: $0) }
            try load(parents, ignored, reader)
            let roots = parents.filter { has(Relation.thread, $0) && $0.event.relation == nil }
            guard !roots.isEmpty else { return }
            let rooms = Dictionary(roots.map { ($0.event.eventID, $0.room) }) { first, _ in first }
            for (root, thread) in try reader.relations.threads(
                from: Array(rooms.keys), for: viewer, ignoring: ignored)
            where rooms[root] == thread.room { threads[root] = thread }
            lastEvents = try reader.events.events(threads.values.map(\.last))
            try look(lastEvents, reader)
            try load(lastEvents, ignored, reader)
        }

        /// Whether others of its room relate to an event in that way.
        private func has(_ type: ExactString, _ event: StoredEvent) -> Bool {
            kinds[event.event.eventID]?.contains(type) == true
        }

        private mutating func look(_ parents: [StoredEvent], _ reader: StoreReader) throws {
            guard !parents.isEmpty else { return }
            let rooms = Dictionary(parents.map { ($0.event.eventID, $0.room) }) { first, _ in first }
            // Events of other rooms do not count, whatever they say.
            for (target, room, type) in try reader.relations.bundled(Array(rooms.keys)) where rooms[target] == room {
                kinds[target, default: []].insert(type)
            }
        }

        private mutating func load(_ parents: [StoredEvent], _ ignored: [UserNumber], _ reader: StoreReader) throws {
            // What has been redacted has lost what was there to replace.
            let edited = parents.filter { has(Relation.replacement, $0) && $0.redactedBy == nil }
            if !edited.isEmpty {
                let found = try reader.relations.replacements(of: edited.map(\.event.eventID))
                let events = try Self.events(found.map(\.replacement), reader)
                for (target, number) in found {
                    if let event = events[number] { replacements[target, default: []].append(event) }
                }
            }
            let referred = parents.filter { has(Relation.reference, $0) }
            guard !referred.isEmpty else { return }
            let found = try reader.relations.references(
                to: referred.map(\.event.eventID), ignoring: ignored, limit: BundledRelations.maximumReferences)
            let events = try Self.events(found.map(\.reference), reader)
            for (target, number) in found {
                if let event = events[number] { references[target, default: []].append(event) }
            }
        }

        private static func events(
            _ numbers: [EventNumber], _ reader: StoreReader
        ) throws -> [EventNumber: StoredEvent] {
            Dictionary(uniqueKeysWithValues: try reader.events.events(numbers).map { ($0.number, $0) })
        }

        func bundle(of parent: StoredEvent, shown: [EventNumber: StoredEvent], to viewer: Viewer) -> Bundle? {
            let id = parent.event.eventID
            var bundle = Bundle()
            let replacement = replacements[id]?.first {
                $0.event.type == parent.event.type && $0.room == parent.room && $0.sender == parent.sender
            }
            bundle.replacement = replacement.flatMap { shown[$0.number] }
            bundle.references = (references[id] ?? []).filter { $0.room == parent.room && shown[$0.number] != nil }
                .map(\.event.eventID)
            if let thread = threads[id], let last = shown[thread.last] {
                bundle.thread = Thread(
                    last: last, count: thread.count,
                    hasParticipated: thread.hasParticipated || parent.sender == viewer.user)
            }
            return bundle.isEmpty ? nil : bundle
        }
    }
}
