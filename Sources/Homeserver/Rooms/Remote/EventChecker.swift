import Matrix

/// Why an event from another server is not looked at.
public enum EventFlaw: Error, Sendable, Hashable {
    /// It is no event of the room's version.
    case malformed(EventError)
    /// It is of another room.
    case otherRoom
    /// A signature that it must have is missing, wrong, or made by a key that cannot be had.
    case unsigned(by: ServerName?)
}

/// Checks the format, the signatures and the hashes of events from other servers.
///
/// [Checks performed on receipt of a PDU](https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu),
/// numbers 1 to 3.
public struct EventChecker: Sendable {
    private let keys: any ServerKeys

    /// Events that one task checks at a time: many enough that splitting costs little, few enough that all cores get some.
    private static let chunkSize = 64

    /// - Parameter keys: Knows the keys of other servers.
    public init(keys: any ServerKeys) { self.keys = keys }

    /// Gets ready to check what a server in the room will give.
    func prepare(for server: ServerName) async { await keys.prepare(for: server) }

    /// Checks events of one room.
    ///
    /// - Parameters:
    ///   - texts: Their JSON texts.
    ///   - version: The room's version.
    ///   - room: The room.
    /// - Returns: For each text, in the same order, the event or what is wrong with it. One whose content hash is wrong is redacted.
    public func check(
        texts: [[UInt8]], version: RoomVersion, room: RoomID
    ) async -> [Result<Event, EventFlaw>] {
        await verify(await parse(texts: texts, version: version, room: room))
    }

    /// The events of one room that are in order as far as their format goes. Nobody has vouched for them yet.
    func parse(texts: [[UInt8]], version: RoomVersion, room: RoomID) async -> [Result<Event, EventFlaw>] {
        await Self.inChunks(texts) { text -> Result<Event, EventFlaw> in
            do {
                let event = try Event(parsing: text, version: version)
                return event.roomID == room ? .success(event) : .failure(.otherRoom)
            } catch let error as EventError {
                return .failure(.malformed(error))
            } catch {
                return .failure(.malformed(.notAnObject))
            }
        }
    }

    /// Checks an event whose format is in order.
    public func check(_ event: Event) async -> Result<Event, EventFlaw> {
        await verify([.success(event)])[0]
    }

    /// Checks the signatures and hashes of events whose format is in order.
    public func verify(_ parsed: [Result<Event, EventFlaw>]) async -> [Result<Event, EventFlaw>] {
        var wanted: [ServerName: [SigningKeyID: Int64?]] = [:]
        for case .success(let event) in parsed {
            for server in event.requiredSigners ?? [] {
                for key in event.keyIDs(of: server).prefix(Self.maximumKeys) {
                    let time = event.version.signingKeyValidity ? event.originServerTS : nil
                    wanted[server, default: [:]].updateValue(
                        Self.later(time, wanted[server]?[key] ?? nil), forKey: key)
                }
            }
        }
        let known = await keys.keys(wanted)
        var checked = await Self.inChunks(parsed) { $0.flatMap { Self.verify($0, known) } }
        // An event that claims to be of the far future must not make the key of all others count as expired.
        for (index, outcome) in checked.enumerated() {
            guard case .failure(.unsigned) = outcome, case .success(let event) = parsed[index],
                event.version.signingKeyValidity, parsed.count > 1
            else { continue }
            let own = await keys.keys(Self.wanted(by: event))
            checked[index] = Self.verify(event, own)
        }
        return checked
    }

    /// Keys of one server that are tried for one event.
    private static let maximumKeys = 8

    private static func later(_ one: Int64?, _ other: Int64?) -> Int64? {
        guard let one, let other else { return one ?? other }
        return max(one, other)
    }

    private static func wanted(by event: Event) -> [ServerName: [SigningKeyID: Int64?]] {
        var wanted: [ServerName: [SigningKeyID: Int64?]] = [:]
        for server in event.requiredSigners ?? [] {
            for key in event.keyIDs(of: server).prefix(maximumKeys) {
                wanted[server, default: [:]].updateValue(event.originServerTS, forKey: key)
            }
        }
        return wanted
    }

    private static func verify(
        _ event: Event, _ known: [ServerName: [SigningKeyID: VerifyKey]]
    ) -> Result<Event, EventFlaw> {
        guard let signers = event.requiredSigners else { return .failure(.unsigned(by: nil)) }
        let text = event.signedText()
        for server in signers {
            let isSigned = event.keyIDs(of: server).prefix(maximumKeys).contains { id in
                guard let key = known[server]?[id], let signature = event.signature(of: server, keyID: id) else {
                    return false
                }
                return key.verify(signature: signature, message: text)
            }
            guard isSigned else { return .failure(.unsigned(by: server)) }
        }
        if event.hasValidContentHash { return .success(event) }
        // It may be a copy that another server has redacted.
        do { return .success(try event.redacted()) } catch { return .failure(.malformed(error)) }
    }

    /// Maps on all cores, keeping the order.
    private static func inChunks<Input: Sendable, Output: Sendable>(
        _ inputs: [Input], _ transform: @escaping @Sendable (Input) -> Output
    ) async -> [Output] {
        guard inputs.count > chunkSize else { return inputs.map(transform) }
        // Not child tasks, which run where their parent prefers to: on an event loop, one after the other, while others wait.
        let chunks = stride(from: 0, to: inputs.count, by: chunkSize).map { start in
            let chunk = inputs[start..<min(start + chunkSize, inputs.count)]
            return Task.detached { chunk.map(transform) }
        }
        var outputs: [Output] = []
        outputs.reserveCapacity(inputs.count)
        for chunk in chunks { outputs += await chunk.value }
        return outputs
    }
}
