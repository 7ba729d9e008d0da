import Matrix
import RoomEngine
import Store

/// What a user has not read, as it is told in a mail: of encrypted rooms never what was said there.
struct MailDigest: Sendable, Equatable {
    /// What happened in a room.
    struct Room: Sendable, Equatable {
        /// What it is called; `nil` for a room without a name.
        var name: String?
        /// The latest of what happened, in its order.
        var entries: [Entry] = []
        /// How much more happened.
        var more = 0
    }

    /// Something that happened.
    struct Entry: Sendable, Equatable {
        /// Who did it.
        var sender: String
        /// What.
        var what: What
    }

    /// What somebody did.
    enum What: Sendable, Equatable {
        /// They said it.
        case said(String)
        /// They said something that is not told.
        case saidSomething
        /// They sent a file, of that name if it is told.
        case sentFile(String?)
        /// They invite.
        case invited
        /// They did something else.
        case other
    }

    static let maximumRooms = 20
    static let maximumEntries = 5
    private static let maximumTextBytes = 400

    /// The rooms, the one where something happened last at the end.
    private(set) var rooms: [(id: RoomID, room: Room)] = []
    /// How many things happened.
    private(set) var count = 0

    static func == (left: MailDigest, right: MailDigest) -> Bool {
        left.count == right.count && left.rooms.map(\.id) == right.rooms.map(\.id)
            && left.rooms.map(\.room) == right.rooms.map(\.room)
    }

    /// Adds what happened after everything else.
    ///
    /// - Parameter isEncrypted: Whether nothing is told of what was said in the room.
    mutating func add(_ subject: PushNotification.Subject, isEncrypted: Bool) {
        count += 1
        let event = subject.event
        var room = Room(name: subject.roomName ?? subject.roomAlias)
        if let index = rooms.firstIndex(where: { $0.id == event.roomID }) {
            room = rooms.remove(at: index).room
        }
        room.entries.append(
            Entry(
                sender: Self.line(subject.senderName ?? event.sender.string, atMost: 100),
                what: Self.what(event, isEncrypted: isEncrypted)))
        if room.entries.count > Self.maximumEntries {
            room.entries.removeFirst()
            room.more += 1
        }
        rooms.append((event.roomID, room))
    }

    private static func what(_ event: Event, isEncrypted: Bool) -> What {
        if event.type == .member { return .invited }
        if event.type == .encrypted { return .saidSomething }
        guard event.type == "m.room.message", let kind = event.content["msgtype"]?.string else { return .other }
        let body = isEncrypted ? nil : event.content["body"]?.string.map { line($0, atMost: maximumTextBytes) }
        switch ExactString(kind) {
        case "m.image", "m.file", "m.audio", "m.video": return .sentFile(body)
        default: return body.map { .said($0) } ?? .saidSomething
        }
    }

    /// One line without what cannot be seen, cut where it becomes too long.
    static func line(_ text: String, atMost limit: Int) -> String {
        var out = String.UnicodeScalarView()
        var bytes = 0
        for scalar in text.unicodeScalars {
            // What turns the direction of writing around would turn that of what follows it.
            let isControl =
                scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x2028...0x202E).contains(scalar.value)
                || (0x2066...0x2069).contains(scalar.value)
            bytes += UTF8.width(scalar)
            guard bytes <= limit else { return String(out) + "…" }
            out.append(isControl ? " " : scalar)
        }
        return String(out)
    }
}
