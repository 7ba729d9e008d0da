import Matrix
import RoomEngine
import Store
import Synchronization

/// Takes in from the journal who can be found by name, and which rooms are open to everybody.
public final class UserDirectoryFollower: JournalFollower {
    private let rooms: RoomService
    private let serverName: ServerName
    /// Rooms that may have members of whom nothing is known, since the journal does not name all who were there when this server came;
    /// `nil` as long as the database has not been asked for them.
    private let unknown = Mutex<Set<RoomNumber>?>(nil)

    private var store: Store { rooms.store }

    private static let membersAtOnce = 100
    private static let accountsAtOnce = 100

    /// - Parameter rooms: Knows the rooms.
    public init(rooms: RoomService) {
        self.rooms = rooms
        serverName = rooms.serverName
    }

    /// Whether there are rooms to be looked through.
    public var wantsFollowUp: Bool { unknown.withLock { $0?.isEmpty == false } }

    /// Takes in accounts that are from before there was a directory, and members of rooms that the journal does not name: some of them.
    public func followUp() async throws -> Bool {
        if unknown.withLock({ $0 == nil }) {
            if try await store.write({ try $0.userDirectory.addMissingAccounts(limit: Self.accountsAtOnce) }) {
                return true
            }
            let rooms = try await store.read { try $0.userDirectory.roomsWithMissingMembers() }
            unknown.withLock { $0 = Set(rooms).union($0 ?? []) }
        }
        guard let room = unknown.withLock({ $0?.first }) else { return false }
        if try await addMembers(of: room) { unknown.withLock { _ = $0?.remove(room) } }
        return wantsFollowUp
    }

    /// Looks at members and at what makes rooms open.
    public func follow(_ rows: [JournalRow]) async throws -> (@Sendable (StoreWriter) throws -> Void)? {
        var changed: Set<RoomNumber> = []
        var numbers: [EventNumber] = []
        for row in rows {
            switch row.subject {
            case .event(let number, _): numbers.append(number)
            case .memberships(let room):
                changed.insert(room)
                unknown.withLock { _ = $0?.insert(room) }
            case .receipt, .deviceList, .presence, .toDevice, .oneTimeKeys, .other: continue
            }
        }
        let events = try await store.events(numbers)
        var people: [Person] = []
        for number in numbers {
            guard let event = events[number], event.status == .accepted, event.event.isState else { continue }
            switch event.event.type {
            case .create, .joinRules, .historyVisibility: changed.insert(event.room)
            case .member:
                guard let user = event.event.stateKey.flatMap({ UserID($0.string) }) else { continue }
                if user.isLocal(to: serverName) {
                    // Perhaps the first of this server to come, or the last to go.
                    changed.insert(event.room)
                } else if let person = try await person(user, event) {
                    people.append(person)
                }
            default: continue
            }
        }
        var openness: [RoomNumber: Bool] = [:]
        for room in changed { openness[room] = try await isOpen(room) }
        guard !openness.isEmpty || !people.isEmpty else { return nil }
        let (rooms, found) = (openness, people)
        return { writer in
            for (room, isOpen) in rooms { try writer.userDirectory.setOpen(isOpen, room) }
            for person in found { try person.write(writer) }
        }
    }

    /// A user of another server, as a room knows them.
    private struct Person: Sendable {
        let user: UserNumber
        let name: String?
        let avatarURL: String?
        let isOpen: Bool

        func write(_ writer: StoreWriter) throws {
            try writer.userDirectory.set(user, name: name, avatarURL: avatarURL, isOpen: isOpen)
        }
    }

    private func person(_ user: UserID, _ event: StoredEvent) async throws -> Person? {
        guard Membership(of: event.event) == .join else { return nil }
        return Person(
            user: try await store.intern(user), name: event.event.content["displayname"]?.string,
            avatarURL: event.event.content["avatar_url"]?.string, isOpen: try await isOpen(event.room))
    }

    /// Whether everybody may join a room or read it, and this server takes part in it.
    private func isOpen(_ room: RoomNumber) async throws -> Bool {
        guard try await rooms.participates(in: room) else { return false }
        let view: RoomView
        do { view = try await rooms.view(room) } catch let error as MatrixError where error.status == 404 {
            return false
        }
        if try await view.event(StateKey(.joinRules))?.event.content["join_rule"]?.string == "public" { return true }
        return HistoryVisibility(of: try await view.event(StateKey(.historyVisibility))?.event) == .worldReadable
    }

    /// Takes in some of those members of a room of whom nothing is known.
    ///
    /// - Returns: Whether those were all.
    private func addMembers(of room: RoomNumber) async throws -> Bool {
        let isOpen = try await isOpen(room)
        let members = try await store.read { try $0.userDirectory.missingMembers(of: room, limit: Self.membersAtOnce) }
        guard !members.isEmpty else { return true }
        let events = try await store.events(members.map(\.event))
        let people = members.map { user, number in
            let content = events[number]?.event.content
            return Person(
                user: user, name: content?["displayname"]?.string, avatarURL: content?["avatar_url"]?.string,
                isOpen: isOpen)
        }
        try await store.write { writer in for person in people { try person.write(writer) } }
        return members.count < Self.membersAtOnce
    }
}
