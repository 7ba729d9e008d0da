import Homeserver
import Web

extension Router {
    /// Serves the user's devices.
    ///
    /// - Parameters:
    ///   - devices: Devices.
    ///   - interactive: Authorizes what needs a password again.
    ///   - environment: What endpoints have in common.
    public func addDeviceRoutes(
        devices: DeviceService, interactive: InteractiveAuthentication, in environment: EndpointEnvironment
    ) {
        add(ListDevices(devices: devices), in: environment)
        add(GetDevice(devices: devices), in: environment)
        add(UpdateDevice(devices: devices), in: environment)
        add(DeleteDevice(devices: devices, interactive: interactive), in: environment)
        add(DeleteDevices(devices: devices, interactive: interactive), in: environment)
    }
}
