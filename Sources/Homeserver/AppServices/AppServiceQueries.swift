import Logging
import Matrix
import Store

/// Makes users and aliases that are not there until somebody asks for them.
public protocol Provision: Sendable {
    /// Has a user made who has no account yet.
    ///
    /// - Returns: Whether they may have one now.
    func provide(_ user: UserID) async -> Bool
    /// Has an alias made that leads nowhere yet.
    ///
    /// - Returns: Whether it may lead somewhere now.
    func provide(_ alias: RoomAlias) async -> Bool
}

/// Nobody makes anything.
public struct NoProvision: Provision {
    /// No provision.
    public init() {}
    /// No.
    public func provide(_ user: UserID) async -> Bool { false }
    /// No.
    public func provide(_ alias: RoomAlias) async -> Bool { false }
}

/// Asks application services.
public struct AppServiceQueries: Provision {
    private let services: AppServices
    private let transport: any AppServiceTransport
    private let clock: any Clock
    private let logger: Logger

    /// - Parameters:
    ///   - services: The services.
    ///   - transport: Makes requests of them.
    ///   - clock: Tells the time.
    ///   - logger: Told of what fails.
    public init(services: AppServices, transport: any AppServiceTransport, clock: any Clock, logger: Logger) {
        self.services = services
        self.transport = transport
        self.clock = clock
        self.logger = logger
    }

    /// Asks the services of whose namespace a user is.
    ///
    /// [GET /users/{userId}](https://spec.matrix.org/v1.19/application-service-api/#get_matrixappv1usersuserid)
    public func provide(_ user: UserID) async -> Bool {
        for service in services.all where service.sender != user && service.owns(user) {
            if await ask(service, "users/\(PathText.encoded(user.string))").isSuccess { return true }
        }
        return false
    }

    /// Asks the services of whose namespace an alias is.
    ///
    /// [GET /rooms/{roomAlias}](https://spec.matrix.org/v1.19/application-service-api/#get_matrixappv1roomsroomalias)
    public func provide(_ alias: RoomAlias) async -> Bool {
        for service in services.all where service.owns(alias) {
            if await ask(service, "rooms/\(PathText.encoded(alias.string))").isSuccess { return true }
        }
        return false
    }

    /// Asks a service something.
    ///
    /// - Parameters:
    ///   - path: The path after `/_matrix/app/v1/`, with its query.
    ///   - legacy: What stands in place of that for services of before it was specified.
    func ask(_ service: AppService, _ path: String, legacy: String = "") async -> AppServiceReply {
        guard let url = service.url else { return .failed("it has no address") }
        func get(_ prefix: String) async -> AppServiceReply {
            await transport.send(
                AppServiceRequest(.get, "\(url)/\(prefix)\(path)", token: service.homeserverToken))
        }
        var reply = await get("_matrix/app/v1/")
        // Of a user or an alias that there is not, too, it says 404: only with a body of its own does it know the path.
        if case .answer(let status, let body) = reply, [404, 405, 501].contains(status), Self.isUnrecognized(body) {
            reply = await get(legacy)
        }
        if case .failed(let why) = reply {
            logger.warning(
                "an application service cannot be asked", metadata: ["service": "\(service.id)", "reason": "\(why)"])
        } else if case .timedOut = reply {
            logger.warning("an application service does not answer", metadata: ["service": "\(service.id)"])
        }
        return reply
    }

    private static func isUnrecognized(_ body: [UInt8]) -> Bool {
        guard let code = (try? JSON(parsing: body))?["errcode"]?.string else { return true }
        return code.utf8.elementsEqual("M_UNRECOGNIZED".utf8)
    }

    /// Has a service asked whether it is there.
    ///
    /// [Pinging](https://spec.matrix.org/v1.19/application-service-api/#pinging)
    ///
    /// - Returns: How long it took, in milliseconds.
    /// - Throws: 400 `M_URL_NOT_SET`; 502 `M_BAD_STATUS`, `M_CONNECTION_FAILED`; 504 `M_CONNECTION_TIMEOUT`.
    public func ping(_ service: AppService, transactionID: String?) async throws(MatrixError) -> Int64 {
        guard let url = service.url else {
            throw MatrixError(400, "M_URL_NOT_SET", "The registration of the application service names no url")
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("transaction_id", transactionID)
        writer.endObject()
        let begun = clock.now
        let reply = await transport.send(
            AppServiceRequest(
                .post, "\(url)/_matrix/app/v1/ping", token: service.homeserverToken, body: writer.bytes,
                timeoutMilliseconds: 30_000))
        switch reply {
        case .answer(let status, _) where (200..<300).contains(status): return max(0, clock.now - begun)
        case .answer(let status, let body):
            throw MatrixError(
                502, "M_BAD_STATUS", "The application service answers \(status)",
                extra: [
                    "status": .integer(Int64(status)),
                    "body": .string(String(decoding: body.prefix(Self.maximumQuotedBytes), as: UTF8.self)),
                ])
        case .failed(let why):
            throw MatrixError(502, "M_CONNECTION_FAILED", "The application service cannot be reached: \(why)")
        case .timedOut:
            throw MatrixError(504, "M_CONNECTION_TIMEOUT", "The application service does not answer in time")
        }
    }

    private static let maximumQuotedBytes = 4_096
}

/// Texts in paths and queries.
enum PathText {
    /// Everything but unreserved characters escaped.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
            default: out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
