import Matrix

/// One thing that changed: where in the journal, and what.
public struct JournalEntry: Sendable {
    /// The place in the journal.
    public let position: StreamPosition
    /// What changed.
    public let change: JournalChange
}

/// What a journal entry announces, with all that a reaction needs of it.
public enum JournalChange: Sendable {
    /// An event took its place in a room's timeline. For a membership event, `subject` is the user it is about.
    case event(StoredEvent, subject: UserNumber?)
    /// The memberships of a room are not what the events announced so far make of them: branches of its graph have met, or this
    /// server has come (back) into it. The users whose membership is another; `nil`: all that the room knows.
    case memberships(RoomNumber, of: [UserNumber]?)
    /// Someone has read up to an event.
    case receipt(ReceiptRecord)
    /// A user's account data, global or of a room, has a new content.
    case accountData(AccountDataRecord)
    /// A user has said whether they follow a thread, by its root.
    case threadSubscription(of: UserNumber, in: RoomNumber, root: EventID)
    /// A message waits for a device.
    case toDevice(ToDeviceRecord)
    /// A user's devices or cross-signing keys are not what they were.
    case deviceList(UserNumber)
    /// What one user sees of a user's keys (another's, or their own) is not what it was; nobody else sees a difference.
    case deviceListView(of: UserNumber, by: UserNumber)
    /// The number of a device's one-time or fallback keys is not what it was.
    case oneTimeKeys(UserNumber, DeviceID)
    /// A user's presence changed.
    case presence(UserNumber)

    /// How the kind is written in the database.
    var kind: JournalKind {
        switch self {
        case .event: .event
        case .memberships: .memberships
        case .receipt: .receipt
        case .accountData: .accountData
        case .toDevice: .toDevice
        case .deviceList: .deviceList
        case .deviceListView: .deviceListView
        case .oneTimeKeys: .oneTimeKeys
        case .presence: .presence
        case .threadSubscription: .threadSubscription
        }
    }

    /// The room it belongs to, if it belongs to one.
    public var room: RoomNumber? {
        switch self {
        case .event(let event, _): event.room
        case .memberships(let room, _): room
        case .receipt(let receipt): receipt.room
        case .accountData(let data): data.room
        case .threadSubscription(_, let room, _): room
        case .toDevice, .deviceList, .deviceListView, .oneTimeKeys, .presence: nil
        }
    }

    /// The user it is about, if it is about one.
    public var user: UserNumber? {
        switch self {
        case .event(_, let subject): subject
        case .memberships: nil
        case .receipt(let receipt): receipt.user
        case .accountData(let data): data.user
        case .threadSubscription(let user, _, _): user
        case .toDevice(let message): message.user
        case .deviceList(let user), .presence(let user), .oneTimeKeys(let user, _): user
        case .deviceListView(let user, _): user
        }
    }

    /// A number by which the database finds the payload again.
    var reference: Int64? {
        switch self {
        case .event(let event, _): event.number.rawValue
        case .deviceListView(_, let viewer): viewer.rawValue
        default: nil
        }
    }

    /// Which of several things it is, by kind: an account data's type, a device, a receipt's type and thread.
    var detail: String? {
        switch self {
        case .event, .memberships, .deviceList, .deviceListView, .presence: nil
        case .receipt(let receipt): receipt.thread.map { "\(receipt.type) \($0)" } ?? receipt.type
        case .accountData(let data): data.type
        case .threadSubscription(_, _, let root): root.string
        case .toDevice(let message): message.device.string
        case .oneTimeKeys(_, let device): device.string
        }
    }

    /// About how many bytes the entry keeps in memory.
    var cost: Int {
        switch self {
        case .event(let event, _): 160 + event.event.memoryFootprint
        case .accountData(let data): 160 + data.content.count
        case .toDevice(let message): 160 + message.content.count
        case .memberships(_, let users): 96 + 8 * (users?.count ?? 0)
        case .receipt: 320
        case .threadSubscription: 160
        case .deviceList, .deviceListView, .oneTimeKeys, .presence: 96
        }
    }
}

/// The kinds of journal entry, as the database has them. Never renumber.
enum JournalKind: Int64 {
    case event = 1
    case receipt = 2
    case accountData = 3
    case toDevice = 4
    case deviceList = 5
    case oneTimeKeys = 6
    case presence = 7
    case deviceListView = 8
    case memberships = 9
    case threadSubscription = 10
    /// What it said was taken back.
    case nothing = 11
}

/// A read receipt.
public struct ReceiptRecord: Sendable {
    /// The room.
    public let room: RoomNumber
    /// Who has read.
    public let user: UserNumber
    /// Who has read, by name.
    public let userID: UserID
    /// `m.read` or `m.read.private`.
    public let type: String
    /// The last event read.
    public let eventID: EventID
    /// The event's place in the timeline, where it is known.
    public let eventPosition: StreamPosition?
    /// The thread read, `main`, or `nil` for all of the room.
    public let thread: String?
    /// When, in milliseconds since 1970.
    public let timestamp: Int64

    /// A receipt.
    public init(
        room: RoomNumber, user: UserNumber, userID: UserID, type: String, eventID: EventID,
        eventPosition: StreamPosition?,
        thread: String?, timestamp: Int64
    ) {
        self.room = room
        self.user = user
        self.userID = userID
        self.type = type
        self.eventID = eventID
        self.eventPosition = eventPosition
        self.thread = thread
        self.timestamp = timestamp
    }
}

/// One item of a user's account data.
public struct AccountDataRecord: Sendable {
    /// Whose.
    public let user: UserNumber
    /// The room it belongs to, or `nil` if it is global.
    public let room: RoomNumber?
    /// The type, such as `m.direct`.
    public let type: String
    /// The content: the text of a JSON object.
    public let content: [UInt8]

    /// An item of account data.
    public init(user: UserNumber, room: RoomNumber?, type: String, content: [UInt8]) {
        self.user = user
        self.room = room
        self.type = type
        self.content = content
    }
}

/// A message for one device.
public struct ToDeviceRecord: Sendable {
    /// Whose device.
    public let user: UserNumber
    /// The device.
    public let device: DeviceID
    /// The message as the client gets it: the text of a JSON object with `type`, `sender` and `content`.
    public let content: [UInt8]

    /// A message.
    public init(user: UserNumber, device: DeviceID, content: [UInt8]) {
        self.user = user
        self.device = device
        self.content = content
    }
}
