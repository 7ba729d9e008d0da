import Homeserver
import Matrix
import Web

/// [POST /keys/query](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery): devices and keys of users.
struct QueryKeys: Endpoint {
    static let routes: [Route] = .client(.post, "/keys/query")
    static let authentication: Authentication<Caller> = .allowingGuests
    static let rateLimit: RateLimitClass = .standard

    let keys: KeyService

    struct Request: RequestDecodable {
        let query: KeyQuery

        init(from input: RequestInput) throws {
            let body = try input.body
            let timeout = RemoteTimeout.clamped(try body.optional("timeout", as: .int))
            let wanted = try body.required("device_keys", as: .map(of: .array(of: .string)))
            var users: [UserID: [DeviceID]] = [:]
            // Nothing is known of users and devices whose names cannot be.
            for (name, devices) in wanted {
                guard let user = UserID(name) else { continue }
                let known = devices.compactMap { DeviceID($0) }
                if devices.isEmpty || !known.isEmpty { users[user] = known }
            }
            query = KeyQuery(users: users, timeoutMilliseconds: timeout)
        }
    }

    struct Response: ResponseEncodable {
        let answer: KeyQueryAnswer

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.rawKey("device_keys")
            encoder.json.beginObject()
            for (user, devices) in answer.deviceKeys.sorted(by: { $0.key < $1.key }) {
                encoder.json.key(user.string)
                encoder.json.beginObject()
                for (device, keys) in devices.sorted(by: { $0.key < $1.key }) {
                    encoder.json.key(device.string)
                    encoder.json.writeRaw(keys)
                }
                encoder.json.endObject()
            }
            encoder.json.endObject()
            encoder.json.write("master_keys", answer.masterKeys)
            encoder.json.write("self_signing_keys", answer.selfSigningKeys)
            encoder.json.write("user_signing_keys", answer.userSigningKeys)
            encoder.json.writeFailures(answer.failures)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        Response(answer: try await keys.query(request.query, by: caller.user))
    }
}

extension JSONWriter {
    /// Writes a member: an object that has a key for each user.
    fileprivate mutating func write(_ name: String, _ keys: [UserID: [UInt8]]) {
        key(name)
        beginObject()
        for (user, text) in keys.sorted(by: { $0.key < $1.key }) {
            key(user.string)
            writeRaw(text)
        }
        endObject()
    }

    /// Writes the member `failures`: the servers that gave no answer, and why.
    mutating func writeFailures(_ failures: [ServerName: RemoteServerFailure]) {
        rawKey("failures")
        beginObject()
        for (server, failure) in failures.sorted(by: { $0.key < $1.key }) {
            key(server.string)
            beginObject()
            member("status", Int64(failure.status))
            member("message", failure.message)
            endObject()
        }
        endObject()
    }
}
