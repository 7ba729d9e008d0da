import FederationWire
import Foundation
import Homeserver
import Matrix
import RoomEngine
import Store
import Synchronization
import Testing
import Web

/// Another server, as far as this one sees of it: it signs its requests and its events.
struct FakeServer: Sendable {
    let name: ServerName
    let server: InboundServer
    private let transactions = Counter()

    init(_ name: String, asking server: InboundServer) throws {
        self.name = try #require(ServerName(name))
        self.server = server
    }

    /// Counts up.
    private final class Counter: Sendable {
        private let value = Mutex(0)
        func next() -> Int {
            value.withLock { value in
                value += 1
                return value
            }
        }
    }

    /// What was answered.
    struct Answer {
        let status: Int
        let body: JSON
        var code: String? { body["errcode"]?.string }
        subscript(_ name: String) -> JSON? { body[name] }
    }

    func user(_ name: String) throws -> UserID { try #require(UserID("@\(name):\(self.name)")) }

    // MARK: Requests

    /// Asks something, signed.
    func ask(_ method: HTTPMethod, _ target: String, body: [UInt8]? = nil) async throws -> Answer {
        let response = try await respond(method, target, body: body)
        let bytes = try await Self.bytes(of: response)
        return Answer(status: response.status, body: try JSON(parsing: bytes, options: .federation))
    }

    /// The whole body of a response.
    static func bytes(of response: HTTPResponse) async throws -> [UInt8] {
        switch response.body {
        case .empty, .parked: return []
        case .bytes(let bytes): return bytes
        case .stream(_, let write):
            let collector = Collector()
            try await write(collector)
            return collector.bytes.withLock { $0 }
        case .file(let path, let range):
            let file = try #require(FileHandle(forReadingAtPath: path))
            try file.seek(toOffset: UInt64(range.lowerBound))
            return Array(try #require(try file.read(upToCount: range.count)))
        }
    }

    private final class Collector: ResponseWriter {
        let bytes = Mutex<[UInt8]>([])
        func write(_ bytes: [UInt8]) async throws { self.bytes.withLock { $0 += bytes } }
    }

    /// The whole response to a signed request.
    func respond(_ method: HTTPMethod, _ target: String, body: [UInt8]? = nil) async throws -> HTTPResponse {
        // What is no JSON can still be sent.
        var content: [UInt8]?
        if let body, !body.isEmpty {
            content = body
            if let json = try? JSON(parsing: body, options: .stored) { content = CanonicalJSON.text(of: json) }
        }
        let signed = SignedRequest(
            method: method.rawValue, target: target, origin: name, destination: InboundServer.name, content: content)
        let headers: HTTPHeaders = ["Authorization": try signed.sign(with: FixedKeys.key(of: name)).field]
        return await server.router.respond(method, target, headers: headers, body: .bytes(body ?? []))
    }

    /// Makes a request as this server's own client makes it, and reads the answer as it does.
    func ask<Request: FederationRequest>(_ request: Request) async throws -> Request.Response {
        let method: HTTPMethod =
            switch request.method {
            case .get: .get
            case .put: .put
            case .post: .post
            }
        let answer = try await ask(method, request.target.description, body: request.body)
        guard answer.status == 200 else { throw Refusal(status: answer.status, code: answer.code) }
        return try request.decode(answer.body)
    }

    struct Refusal: Error, Equatable {
        let status: Int
        let code: String?
    }

    /// Sends a transaction.
    @discardableResult
    func send(
        _ pdus: [[UInt8]] = [], edus: [(type: String, content: JSONValue)] = [], id: String? = nil
    ) async throws -> Answer {
        let transaction = FederationTransaction(
            origin: name, originServerTS: server.clock.now, pdus: pdus,
            edus: edus.map { EphemeralMessage(type: $0.type, content: $0.content.serialized()) })
        let id = id ?? "\(name)-\(transactions.next())"
        return try await ask(.put, "/_matrix/federation/v1/send/\(id)", body: transaction.body)
    }

    /// Sends an event, and waits until it has been looked at. The event must be taken.
    func send(_ event: Event) async throws {
        let answer = try await send([event.bytes])
        #expect(answer.status == 200)
        #expect(answer["pdus"]?[event.eventID.string]?.value == [:])
        try await server.settle()
    }

    // MARK: Events

    /// Another name of a user who is in the room.
    func profile(
        _ name: String, of user: UserID, in room: RoomID, after prevEvents: [Event]? = nil
    ) async throws -> Event {
        let content: JSONValue = ["membership": "join", "displayname": .string(name)]
        return try await event(.member, stateKey: user.string, content, by: user, in: room, after: prevEvents)
    }

    /// An event on top of a room as this server has it.
    ///
    /// - Parameter others: What allows it beside what this server has in the room's state.
    func event(
        _ type: EventType, stateKey: String? = nil, _ content: JSONValue, by sender: UserID, in room: RoomID,
        after prevEvents: [Event]? = nil, allowedBy others: [Event] = []
    ) async throws -> Event {
        let number = try #require(try await server.store.number(of: room))
        let view = try await server.rooms.view(number)
        let version = view.head.version
        let content = content.json
        var authEvents: [StoredEvent] = []
        let keys = Authorization.requiredKeys(
            type: type, stateKey: stateKey.map { ExactString($0) }, sender: sender, content: content, version: version)
        for key in keys { if let event = try await view.event(key) { authEvents.append(event) } }
        let prev: [Event]
        if let prevEvents {
            prev = prevEvents
        } else {
            prev = try await server.store.read { reader in
                try reader.events.events(try reader.rooms.forwardExtremities(number)).map(\.event)
            }
        }
        var builder = EventBuilder(
            version: version, roomID: room, type: type, stateKey: stateKey.map { ExactString($0) }, sender: sender,
            content: content, originServerTS: server.clock.now, depth: (prev.map(\.depth).max() ?? 0) + 1,
            prevEvents: prev.map(\.eventID), authEvents: (authEvents.map(\.event) + others).map(\.eventID))
        for event in prev + authEvents.map(\.event) + others {
            builder.referenceHashes[event.eventID] = event.referenceHash()
        }
        if version.eventIDFormat == .chosenByServer { builder.eventIDToken = UUID().uuidString }
        return try builder.build(serverName: name, signer: FixedKeys.key(of: name))
    }

    /// A text message.
    func message(_ body: String, by sender: UserID, in room: RoomID) async throws -> Event {
        try await event(.message, ["msgtype": "m.text", "body": .string(body)], by: sender, in: room)
    }

    /// Lets a user of this server join a public room.
    @discardableResult
    func join(_ room: RoomID, as user: UserID) async throws -> Event {
        let event = try await event(.member, stateKey: user.string, ["membership": "join"], by: user, in: room)
        try await send(event)
        return event
    }
}

extension InboundServer {
    /// A room that anyone may join.
    func publicRoom(
        by creator: Requester, version: RoomVersion = .v12, _ state: [NewRoom.InitialState] = []
    ) async throws -> RoomID {
        clock.advance(milliseconds: 1)
        var room = NewRoom()
        room.preset = .publicChat
        room.version = version
        room.initialState = state
        return try await rooms.create(room, by: creator)
    }

    /// Sends a text message.
    @discardableResult
    func send(_ body: String, to room: RoomID, by sender: Requester) async throws -> EventID {
        try await rooms.send(
            .message, content: (["msgtype": "m.text", "body": .string(body)] as JSONValue).json, transactionID: nil,
            to: room, by: sender)
    }
}
