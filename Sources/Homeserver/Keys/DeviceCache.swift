import Matrix
import Store
import Synchronization

/// Remembers something about devices until the journal says that it changed: what idle clients ask for all the time.
///
/// A value that was read before a change and arrives after it is not kept: who looks one up takes a ticket first. Bounded in two
/// generations: what was not asked for while the young one filled up is forgotten.
final class DeviceCache<Value: Sendable>: Sendable {
    private struct State {
        var young: [UserNumber: [DeviceID: Value]] = [:]
        var old: [UserNumber: [DeviceID: Value]] = [:]
        var youngCount = 0
        var loading: [UserNumber: [DeviceID: UInt64]] = [:]
        var lastTicket: UInt64 = 0
    }

    private let state = Mutex(State())
    private let capacity: Int

    /// - Parameter capacity: How many devices are remembered.
    init(capacity: Int) { self.capacity = capacity }

    /// What is known of a device, or else a ticket to be given back with what will have been looked up.
    func value(_ device: DeviceID, of user: UserNumber) -> (value: Value?, ticket: UInt64) {
        state.withLock { state in
            if let value = state.young[user]?[device] { return (value, 0) }
            if let value = state.old[user]?.removeValue(forKey: device) {
                insert(value, device, user, &state)
                return (value, 0)
            }
            state.lastTicket += 1
            state.loading[user, default: [:]][device] = state.lastTicket
            return (nil, state.lastTicket)
        }
    }

    /// Remembers what was looked up, unless it changed since the ticket was taken.
    func insert(_ value: Value, _ device: DeviceID, of user: UserNumber, ticket: UInt64) {
        state.withLock { state in
            guard state.loading[user]?[device] == ticket else { return }
            endLoading(device, user, &state)
            insert(value, device, user, &state)
        }
    }

    /// Gives a ticket back without a value.
    func cancel(_ device: DeviceID, of user: UserNumber, ticket: UInt64) {
        state.withLock { state in
            if state.loading[user]?[device] == ticket { endLoading(device, user, &state) }
        }
    }

    /// Changes what is known of a device; whoever is looking it up now may have seen it before the change.
    func update(_ device: DeviceID, of user: UserNumber, _ change: (inout Value) -> Void) {
        state.withLock { state in
            endLoading(device, user, &state)
            if var value = state.young[user]?[device] {
                change(&value)
                state.young[user]?[device] = value
            } else if var value = state.old[user]?[device] {
                change(&value)
                state.old[user]?[device] = value
            }
        }
    }

    /// Forgets a device.
    func remove(_ device: DeviceID, of user: UserNumber) {
        state.withLock { state in
            endLoading(device, user, &state)
            if state.young[user]?.removeValue(forKey: device) != nil { state.youngCount -= 1 }
            state.old[user]?.removeValue(forKey: device)
        }
    }

    /// Forgets all devices of a user.
    func removeAll(of user: UserNumber) {
        state.withLock { state in
            state.loading[user] = nil
            if let removed = state.young.removeValue(forKey: user) { state.youngCount -= removed.count }
            state.old[user] = nil
        }
    }

    private func endLoading(_ device: DeviceID, _ user: UserNumber, _ state: inout State) {
        guard state.loading[user]?.removeValue(forKey: device) != nil else { return }
        if state.loading[user]?.isEmpty == true { state.loading[user] = nil }
    }

    private func insert(_ value: Value, _ device: DeviceID, _ user: UserNumber, _ state: inout State) {
        if state.young[user, default: [:]].updateValue(value, forKey: device) == nil { state.youngCount += 1 }
        guard state.youngCount > capacity / 2 else { return }
        state.old = state.young
        state.young = [:]
        state.youngCount = 0
    }
}
