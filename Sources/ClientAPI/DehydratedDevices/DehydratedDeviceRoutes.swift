import Homeserver
import Web

extension [Route] {
    /// The paths of [MSC3814](https://github.com/matrix-org/matrix-spec-proposals/pull/3814).
    static func dehydratedDevice(_ method: HTTPMethod, _ rest: String = "") -> [Route] {
        .client(method, "/dehydrated_device" + rest, versions: ["unstable/org.matrix.msc3814.v1"])
    }
}

extension Router {
    /// Serves devices that are kept on the server.
    public func addDehydratedDeviceRoutes(devices: DehydratedDeviceService, in environment: EndpointEnvironment) {
        add(SetDehydratedDevice(devices: devices), in: environment)
        add(GetDehydratedDevice(devices: devices), in: environment)
        add(DeleteDehydratedDevice(devices: devices), in: environment)
        add(GetDehydratedDeviceEvents(devices: devices), in: environment)
    }
}
