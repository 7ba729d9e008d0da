import Logging
import Matrix
import Store

/// Has a service make a room's meeting: one and not two, also if the service has made it and its answer was lost.
///
/// Services have no names for requests by which they would know one again. So what a user has is looked at before one is asked for, and noted; if
/// it is not known what came of it, whatever is new since, is of the kind that was asked for, and belongs to no room, is it.
struct MeetingMaker: Sendable {
    let store: Store
    let service: any MeetingService
    let conference: Conference
    let logger: Logger

    /// The meeting, made or found.
    func make(for room: Meeting, address: String, _ level: String) async throws -> MadeMeeting {
        if let known = room.known, let found = try await lost(known, address, level) {
            logger.notice(
                "a meeting that was made without an answer is found", metadata: ["service": "\(conference.name)"])
            return found
        }
        let known = try await existing(address)?.map(\.name)
        if let known { try await set(known, room) }
        do {
            return try await service.make(for: address, accessLevel: level)
        } catch {
            // What has certainly not happened needs no looking for.
            if !error.mayHaveHappened { try await set(nil, room) }
            throw MatrixError(error, service: conference.name)
        }
    }

    private func set(_ known: [String]?, _ room: Meeting) async throws {
        try await store.write { try $0.meetings.setKnown(known, of: room.room, at: room.service) }
    }

    /// What the service has, if it tells.
    private func existing(_ address: String) async throws -> [MadeMeeting]? {
        do { return try await service.meetings(of: address) } catch {
            throw MatrixError(error, service: conference.name)
        }
    }

    private func lost(_ known: [String], _ address: String, _ level: String) async throws -> MadeMeeting? {
        guard let existing = try await existing(address) else { return nil }
        let before = Set(known.map { ExactString($0) })
        let new = existing.filter { !before.contains(ExactString($0.name)) && $0.accessLevel == level }
        let name = conference.name
        let taken = try await store.read { try $0.meetings.taken(new.map(\.name), at: name) }
        // The oldest of them was made first after it was noted what there was.
        return new.last { !taken.contains($0.name) }
    }
}
