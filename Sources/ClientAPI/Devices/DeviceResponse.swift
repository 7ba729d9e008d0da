import Homeserver
import Matrix
import Web

/// [A device](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3devicesdeviceid) as its user sees it.
struct DeviceResponse: ResponseEncodable {
    let device: Device

    func encode(into encoder: inout ResponseEncoder) { write(to: &encoder.json) }

    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("device_id", device.id)
        json.member("display_name", device.displayName)
        json.member("last_seen_ip", device.lastSeenAddress)
        json.member("last_seen_ts", device.lastSeenAt)
        json.endObject()
    }
}
