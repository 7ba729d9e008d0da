import Collections
import Matrix
import Store

/// Finds in stored states what rooms' rules want of them. What it looked up serves for many rooms.
struct StateSelector {
    private let wanted: CombinedState
    /// Keys that are looked up.
    private var keys: Set<StateKeyNumber> = []
    /// Whether every entry of a state has to be looked at.
    private var walks = false

    /// A type with more state keys than this on the whole server is looked for in each state, not the other way around.
    private static let keyLimit = 2_000

    init(_ wanted: CombinedState, _ reader: StoreReader) throws {
        self.wanted = wanted
        walks = wanted.parts.contains { $0.needsWholeState }
        guard !walks else { return }
        var numbers: Set<StateKeyNumber> = []
        for part in wanted.parts {
            for key in part.exact where part.matches(key) {
                if let number = try reader.identifiers.number(of: key) { numbers.insert(number) }
            }
            for type in part.types where !(part.lazyMembers && type == .member) {
                let all = try reader.identifiers.stateKeys(of: type, limit: Self.keyLimit)
                if all.count == Self.keyLimit {
                    walks = true
                    return
                }
                numbers.formUnion(
                    part.excluded.isEmpty
                        ? all : try reader.identifiers.stateKeys(all).filter { part.matches($0.value) }.map(\.key))
            }
        }
        keys = numbers
    }

    /// The entries of a state that are wanted.
    func select(_ state: StateMap, _ reader: StoreReader) throws -> [EventNumber] {
        if !walks {
            if keys.count <= state.count { return keys.compactMap { state[$0] } }
            return state.compactMap { keys.contains($0.key) ? $0.value : nil }
        }
        let names = try reader.identifiers.stateKeys(Array(state.keys))
        return state.compactMap { key, event in names[key].map { wanted.matches($0) } ?? false ? event : nil }
    }
}
