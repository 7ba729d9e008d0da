import FederationWire
import Homeserver
import Matrix
import Store

/// Tells other servers of this server's users' devices and cross-signing keys.
///
/// The journal says that something about a user's devices has changed, not what: that is found by comparing with what
/// was told last. Each difference gets a `stream_id`, which follows the position of the journal's entry, and names
/// the user's one before.
///
/// [Device management](https://spec.matrix.org/v1.19/server-server-api/#device-management)
struct DeviceAnnouncer: Sendable {
    let store: Store
    let keys: KeyService

    /// Announcements that are looked at for one transaction.
    private static let announcementsPerPage = 100
    /// Of more at one place of the journal only the last are told: who sees the gap asks for the whole list.
    private static let maximumAtOnce = TransactionPlanner.roomForOthers

    /// Finds what has changed about a user's devices, so that it can be told. Doing it again changes nothing.
    ///
    /// - Parameter position: The journal's entry that says so.
    func record(_ user: UserNumber, _ id: UserID, at position: StreamPosition) async throws {
        let records = try await store.read { try $0.devices.devices(of: user) }
        let known = try await keys.localKeys([id: []], seenBy: nil)
        let devices = records.map { record in
            AnnouncedDevice(
                device: record.id, displayName: record.displayName, keys: known.deviceKeys[id]?[record.id])
        }
        let crossSigning = [known.masterKeys[id], known.selfSigningKeys[id]].compactMap { $0 }
        try await store.write { writer in
            _ = try writer.deviceAnnouncements.update(
                user, devices: devices, crossSigningKeys: crossSigning, at: position)
        }
    }

    /// Where in a stretch of the journal something was announced that a server has to hear of.
    ///
    /// - Returns: The places, and through where they are complete.
    func places(
        for server: ServerName, after: StreamPosition, through: StreamPosition
    ) async throws -> (places: Set<StreamPosition>, through: StreamPosition) {
        let (found, complete) = try await announcements(for: server, after: after, through: through)
        return (Set(found.map(\.position)), complete)
    }

    private func announcements(
        for server: ServerName, after: StreamPosition, through: StreamPosition
    ) async throws -> ([DeviceAnnouncement], through: StreamPosition) {
        let limit = Self.announcementsPerPage
        let found = try await store.read {
            try $0.deviceAnnouncements.announcements(for: server, after: after, through: through, limit: limit)
        }
        guard found.count == limit, let last = found.last?.position else { return (found, through) }
        if found.first?.position == last { return (found, last) }
        // The last place may not be there as a whole.
        return (found.filter { $0.position != last }, StreamPosition(last.rawValue - 1))
    }

    /// The messages that tell a server of what was announced in a stretch of the journal, by their places.
    ///
    /// - Returns: The messages, and through where they are complete.
    func messages(
        for server: ServerName, after: StreamPosition, through: StreamPosition
    ) async throws -> (messages: [StreamPosition: [EphemeralMessage]], through: StreamPosition) {
        let (found, complete) = try await announcements(for: server, after: after, through: through)
        var messages: [StreamPosition: [EphemeralMessage]] = [:]
        for (user, announcements) in Dictionary(grouping: found, by: \.user) {
            for (position, texts) in try await self.messages(announcements, of: user) {
                messages[position, default: []] += texts
            }
        }
        for position in messages.keys { messages[position] = messages[position]?.suffix(Self.maximumAtOnce) }
        return (messages, complete)
    }

    private func messages(
        _ announcements: [DeviceAnnouncement], of user: UserNumber
    ) async throws -> [StreamPosition: [EphemeralMessage]] {
        let id = try await store.user(user)
        let records = try await store.read { try $0.devices.devices(of: user) }
        let names = Dictionary(uniqueKeysWithValues: records.map { ($0.id, $0.displayName) })
        let known = try await keys.localKeys([id: []], seenBy: nil)
        var messages: [StreamPosition: [EphemeralMessage]] = [:]
        for announcement in announcements {
            if let device = announcement.device {
                messages[announcement.position, default: []].append(
                    .deviceListUpdate(
                        announcement, of: id, device: device, displayName: names[device] ?? nil,
                        keys: known.deviceKeys[id]?[device]))
            } else {
                messages[announcement.position, default: []] += EphemeralMessage.signingKeyUpdate(
                    of: id, master: known.masterKeys[id], selfSigning: known.selfSigningKeys[id])
            }
        }
        return messages
    }
}
