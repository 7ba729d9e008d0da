import Homeserver
import Web

extension Router {
    /// Serves the keys of devices and users.
    ///
    /// - Parameters:
    ///   - keys: Devices' keys.
    ///   - crossSigning: Users' keys, and signatures.
    ///   - deviceLists: Whose devices changed.
    ///   - environment: What endpoints have in common.
    public func addKeyRoutes(
        keys: KeyService, crossSigning: CrossSigningService, deviceLists: DeviceListService,
        in environment: EndpointEnvironment
    ) {
        add(UploadKeys(keys: keys), in: environment)
        add(QueryKeys(keys: keys), in: environment)
        add(ClaimKeys(keys: keys), in: environment)
        add(GetKeyChanges(deviceLists: deviceLists), in: environment)
        add(UploadCrossSigningKeys(crossSigning: crossSigning), in: environment)
        add(UploadSignatures(crossSigning: crossSigning), in: environment)
    }

    /// Serves messages for devices.
    ///
    /// - Parameters:
    ///   - toDevice: Sends them.
    ///   - environment: What endpoints have in common.
    public func addToDeviceRoutes(toDevice: ToDeviceService, in environment: EndpointEnvironment) {
        add(SendToDevice(toDevice: toDevice), in: environment)
    }
}
