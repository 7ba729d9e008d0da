import Homeserver
import Matrix
import Web

/// [POST /dehydrated_device/{device_id}/events](https://github.com/matrix-org/matrix-spec-proposals/pull/3814)
struct GetDehydratedDeviceEvents: Endpoint {
    static let routes = [Route].dehydratedDevice(.post, "/{deviceId}/events")
    static let authentication: Authentication<Caller> = .required

    let devices: DehydratedDeviceService

    struct Request: RequestDecodable {
        let device: DeviceID
        let batch: String?

        init(from input: RequestInput) throws {
            device = try input.path("deviceId")
            batch = try input.bodyOrEmpty.optional("next_batch", as: .string)
        }
    }

    struct Response: ResponseEncodable {
        let messages: [[UInt8]]
        let next: String

        func encode(into encoder: inout ResponseEncoder) {
            encoder.json.beginObject()
            encoder.json.key("events")
            encoder.json.beginArray()
            for message in messages { encoder.json.writeRaw(message) }
            encoder.json.endArray()
            encoder.json.member("next_batch", next)
            encoder.json.endObject()
        }
    }

    func handle(_ request: Request, caller: Caller) async throws -> Response {
        let (messages, next) = try await devices.messages(for: request.device, of: caller.user, after: request.batch)
        return Response(messages: messages, next: next)
    }
}
