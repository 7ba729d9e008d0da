import Collections
import Matrix

/// Settles which state holds where branches of a room's history meet.
///
/// [Room state resolution](https://spec.matrix.org/v1.19/server-server-api/#room-state-resolution).
public enum StateResolver {
    /// Resolves several states of a room.
    ///
    /// The result depends only on the events, not on the order of the states or on the numbers.
    ///
    /// - Parameters:
    ///   - states: The states after each of the events that are followed.
    ///   - version: The room's version, which says by what algorithm.
    ///   - source: Where events are looked up.
    public static func resolve(
        _ states: [StateMap], version: RoomVersion, source: some ResolutionSource
    ) -> Resolution {
        var distinct: [StateMap] = []
        for state in states where !distinct.contains(state) { distinct.append(state) }
        guard distinct.count > 1 else { return .resolved(distinct.first ?? [:]) }
        let workspace = ResolutionWorkspace(source: source, states: distinct)
        return switch version.stateResolution {
        case .v1: StateResolutionV1.resolve(distinct, workspace)
        case .v2: StateResolutionV2.resolve(distinct, workspace, withSubgraph: false)
        case .v2_1: StateResolutionV2.resolve(distinct, workspace, withSubgraph: true)
        }
    }
}

/// What one resolution has looked up, and what it has looked for in vain.
final class ResolutionWorkspace<Source: ResolutionSource> {
    let source: Source
    let powerLevelsKey: StateKeyNumber?
    let createKey: StateKeyNumber?
    private(set) var missing: Set<EventNumber> = []
    private(set) var creation: RoomCreation?
    private var contents: [EventNumber: PowerLevelContent] = [:]
    private var powerLevelsOf: [EventNumber: EventNumber?] = [:]
    private var arePowerLevels: [EventNumber: Bool] = [:]

    init(source: Source, states: [StateMap]) {
        self.source = source
        powerLevelsKey = source.number(of: StateKey(.powerLevels))
        createKey = source.number(of: StateKey(.create))
        guard let createKey else { return }
        for case let number? in states.lazy.map({ $0[createKey] }) {
            creation = event(number).map(RoomCreation.init)
            return
        }
    }

    /// What is missing, if anything is.
    var needs: Resolution? { missing.isEmpty ? nil : .needs(missing.sorted()) }

    func event(_ number: EventNumber) -> Event? {
        if let event = source.event(number) { return event }
        missing.insert(number)
        return nil
    }

    func authEvents(of number: EventNumber) -> [EventNumber] {
        if let events = source.authEvents(of: number) { return events }
        missing.insert(number)
        return []
    }

    /// The power-levels event that an event lists in its `auth_events`.
    func powerLevels(of number: EventNumber) -> EventNumber? {
        if let known = powerLevelsOf[number] { return known }
        let found = authEvents(of: number).first(where: isPowerLevels)
        powerLevelsOf[number] = .some(found)
        return found
    }

    private func isPowerLevels(_ number: EventNumber) -> Bool {
        if let known = arePowerLevels[number] { return known }
        guard let event = event(number) else { return false }
        let answer = event.type == .powerLevels && event.stateKey?.string.isEmpty == true
        arePowerLevels[number] = answer
        return answer
    }

    func powerLevelContent(_ number: EventNumber) -> PowerLevelContent? {
        if let known = contents[number] { return known }
        let content = event(number).map { PowerLevelContent($0) }
        contents[number] = content
        return content
    }

    /// The power of an event's sender as its own `auth_events` give it.
    func senderLevel(of number: EventNumber, _ event: Event) -> PowerLevel {
        guard let creation else { return .level(0) }
        let content = powerLevels(of: number).flatMap(powerLevelContent)
        return PowerLevels(content, creation: creation).level(of: event.sender)
    }
}
