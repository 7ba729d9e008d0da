import Synchronization

/// A bounded cache that forgets roughly what was used longest ago: two generations; what is found in the old one moves to the
/// young one; when the young one holds half of the budget it becomes the old one.
public final class GenerationalCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var young: [Key: (value: Value, cost: Int)] = [:]
        var old: [Key: (value: Value, cost: Int)] = [:]
        var youngCost = 0
    }

    private let state = Mutex(State())
    private let budget: Int

    /// - Parameter budget: The sum of the costs of what is kept, in whatever unit costs are given.
    public init(budget: Int) { self.budget = budget }

    /// The value of that key, if it is kept.
    public subscript(_ key: Key) -> Value? {
        state.withLock { state in
            if let found = state.young[key] { return found.value }
            guard let found = state.old.removeValue(forKey: key) else { return nil }
            insert(key, found.value, found.cost, &state)
            return found.value
        }
    }

    /// Keeps a value.
    public func insert(_ key: Key, _ value: Value, cost: Int = 1) {
        state.withLock { insert(key, value, cost, &$0) }
    }

    /// Forgets a value.
    public func remove(_ key: Key) {
        state.withLock { state in
            state.old.removeValue(forKey: key)
            if let removed = state.young.removeValue(forKey: key) { state.youngCost -= removed.cost }
        }
    }

    /// Forgets everything.
    public func removeAll() { state.withLock { $0 = State() } }

    private func insert(_ key: Key, _ value: Value, _ cost: Int, _ state: inout State) {
        if let replaced = state.young.updateValue((value, cost), forKey: key) { state.youngCost -= replaced.cost }
        state.youngCost += cost
        if state.youngCost > budget / 2 {
            state.old = state.young
            state.young = [:]
            state.youngCost = 0
        }
    }
}
