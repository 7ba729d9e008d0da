import Database
import Matrix

/// Something that an application service will be told.
public struct AppServiceItem: Sendable, Hashable {
    /// What.
    public enum Subject: Sendable, Hashable {
        /// An event.
        case event(EventNumber)
        /// A receipt of a user in a room, of that type.
        case receipt(UserNumber, RoomNumber, type: String)
        /// A user's presence.
        case presence(UserNumber)
        /// A message for a device.
        case toDevice(UserNumber, DeviceID)
        /// A user's devices or keys.
        case deviceList(UserNumber)
        /// How many keys a device has left.
        case keyCounts(UserNumber, DeviceID)
    }

    /// The place in the journal.
    public let position: StreamPosition
    /// What.
    public let subject: Subject

    /// Something.
    public init(position: StreamPosition, subject: Subject) {
        self.position = position
        self.subject = subject
    }

    fileprivate var kind: Int64 {
        switch subject {
        case .event: 1
        case .receipt: 2
        case .presence: 3
        case .toDevice: 4
        case .deviceList: 5
        case .keyCounts: 6
        }
    }

    /// The user of those that are told as they are by then: of several about one user the last is enough.
    fileprivate var latestOnly: (user: UserNumber, room: RoomNumber?, detail: String?)? {
        switch subject {
        case .event, .toDevice: nil
        case .receipt(let user, let room, let type): (user, room, type)
        case .presence(let user), .deviceList(let user): (user, nil, nil)
        case .keyCounts(let user, let device): (user, nil, device.string)
        }
    }
}

/// The last transaction of an application service.
public struct AppServiceTransaction: Sendable {
    /// Its number.
    public let number: Int64
    /// Its body, a JSON text; `nil` once the service has taken it.
    public let body: [UInt8]?

    /// A transaction.
    public init(number: Int64, body: [UInt8]?) {
        self.number = number
        self.body = body
    }
}

/// Look-ups of what application services are told.
public struct AppServiceReader {
    let sql: ReadTransaction

    /// The services that are known, and since when they are told of what happens.
    public func services() throws -> [(id: String, since: StreamPosition)] {
        try sql.all("SELECT id, since FROM app_services") { (id: try $0.text(0), since: try $0.number(1)) }
    }

    /// How much waits to be told to a service, beside its last transaction.
    public func waiting(for service: String) throws -> Int64 {
        try sql.first("SELECT COUNT(*) FROM app_service_queue WHERE service = $1", service) { try $0.int(0) } ?? 0
    }

    /// The last transaction of a service, or `nil` if the service is not known.
    public func transaction(of service: String) throws -> AppServiceTransaction? {
        try sql.first("SELECT txn, body FROM app_services WHERE id = $1", service) {
            AppServiceTransaction(number: try $0.int(0), body: try $0.blobOrNil(1))
        }
    }

    /// What waits for a service, the first `limit` of it, in order.
    public func queue(of service: String, limit: Int) throws -> [AppServiceItem] {
        try sql.all(
            """
            SELECT position, kind, room_num, user_num, event_num, detail FROM app_service_queue
            WHERE service = $1 ORDER BY position LIMIT $2
            """, service, limit
        ) { row in
            AppServiceItem(position: try row.number(0), subject: try subject(row))
        }
    }

    private func subject(_ row: Row) throws -> AppServiceItem.Subject {
        switch try row.int(1) {
        case 1: return .event(try row.number(4))
        case 2: return .receipt(try row.number(3), try row.number(2), type: try row.text(5))
        case 3: return .presence(try row.number(3))
        case 4: return .toDevice(try row.number(3), try row.identifier(5))
        case 5: return .deviceList(try row.number(3))
        case 6: return .keyCounts(try row.number(3), try row.identifier(5))
        case let kind: throw StoreError.inconsistent("application services are told nothing of kind \(kind)")
        }
    }

    /// The users of a server who are joined to a room.
    public func joinedUsers(of server: ServerName, in room: RoomNumber) throws -> [UserID] {
        try sql.all(
            """
            SELECT users.user_id FROM memberships JOIN users ON users.num = memberships.user_num
            WHERE memberships.room_num = $1 AND memberships.membership = 1 AND users.server = $2
            """, room, server
        ) { try $0.identifier(0) }
    }

    /// The rooms that services list: all, or those of one network.
    ///
    /// - Parameter network: The service and its network; `nil` for all.
    public func listedRooms(_ network: (service: String, name: String)?) throws -> Set<RoomNumber> {
        guard let network else {
            return Set(try sql.all("SELECT DISTINCT room_num FROM app_service_rooms") { try $0.number(0) })
        }
        return Set(
            try sql.all(
                "SELECT room_num FROM app_service_rooms WHERE service = $1 AND network = $2", network.service,
                network.name
            ) { try $0.number(0) })
    }
}

/// Stores what application services are told.
public struct AppServiceWriter {
    let writer: StoreWriter

    /// Makes a service known: it is told what happens after that position.
    ///
    /// - Parameter number: That of the transaction before its first.
    public func insert(_ service: String, since position: StreamPosition, number: Int64) throws {
        try writer.sql.execute(
            "INSERT INTO app_services (id, since, txn) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING", service,
            position, number)
    }

    /// Forgets a service, and what waits for it.
    public func remove(_ service: String) throws {
        try writer.sql.execute("DELETE FROM app_service_queue WHERE service = $1", service)
        try writer.sql.execute("DELETE FROM app_service_rooms WHERE service = $1", service)
        try writer.sql.execute("DELETE FROM app_services WHERE id = $1", service)
    }

    /// Lets something wait for a service. What is there already is not repeated.
    public func append(_ item: AppServiceItem, for service: String) throws {
        var columns: (room: RoomNumber?, user: UserNumber?, event: EventNumber?, detail: String?) = (nil, nil, nil, nil)
        switch item.subject {
        case .event(let event): columns.event = event
        case .receipt(let user, let room, let type): columns = (room, user, nil, type)
        case .presence(let user), .deviceList(let user): columns.user = user
        case .toDevice(let user, let device), .keyCounts(let user, let device):
            columns = (nil, user, nil, device.string)
        }
        if let latest = item.latestOnly {
            try writer.sql.execute(
                """
                DELETE FROM app_service_queue WHERE user_num = $1 AND service = $2 AND kind = $3
                    AND COALESCE(room_num, 0) = $4 AND COALESCE(detail, '') = $5
                """, latest.user, service, item.kind, latest.room?.rawValue ?? 0, latest.detail ?? "")
        }
        try writer.sql.execute(
            """
            INSERT INTO app_service_queue (service, position, kind, room_num, user_num, event_num, detail)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (service, position) DO NOTHING
            """, service, item.position, item.kind, columns.room, columns.user, columns.event, columns.detail)
    }

    /// Makes a transaction of what waits for a service.
    ///
    /// - Parameters:
    ///   - transaction: The transaction.
    ///   - position: Up to where what waits is in it; `nil` if nothing is.
    public func begin(_ transaction: AppServiceTransaction, of service: String, through position: StreamPosition?)
        throws
    {
        try writer.sql.execute(
            "UPDATE app_services SET txn = $2, body = $3 WHERE id = $1", service, transaction.number, transaction.body)
        if let position { try drop(of: service, through: position) }
    }

    /// Removes what waits for a service and is nothing to it any more.
    public func drop(of service: String, through position: StreamPosition) throws {
        try writer.sql.execute(
            "DELETE FROM app_service_queue WHERE service = $1 AND position <= $2", service, position)
    }

    /// Notes that a service has taken a transaction.
    public func finish(_ number: Int64, of service: String) throws {
        try writer.sql.execute("UPDATE app_services SET body = NULL WHERE id = $1 AND txn = $2", service, number)
    }

    /// Lists a room as one of a service's network, or no longer.
    public func setListed(_ isListed: Bool, _ room: RoomNumber, service: String, network: String) throws {
        if isListed {
            try writer.sql.execute(
                """
                INSERT INTO app_service_rooms (service, network, room_num) VALUES ($1, $2, $3)
                ON CONFLICT (service, network, room_num) DO NOTHING
                """, service, network, room)
        } else {
            try writer.sql.execute(
                "DELETE FROM app_service_rooms WHERE service = $1 AND network = $2 AND room_num = $3", service, network,
                room)
        }
    }
}

extension StoreReader {
    /// What application services are told.
    public var appServices: AppServiceReader { AppServiceReader(sql: sql) }
}

extension StoreWriter {
    /// What application services are told.
    public var appServices: AppServiceWriter { AppServiceWriter(writer: self) }
}
