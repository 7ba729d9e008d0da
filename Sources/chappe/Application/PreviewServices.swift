import Adapters
import Homeserver
import Logging
import NameLookup
import Store

/// What makes previews of web pages.
struct PreviewServices: Sendable {
    let previews: PreviewService
    private let requests: PermittedRequests

    /// The services, or `nil` if there are no previews.
    init?(
        _ configuration: Configuration, store: Store, media: MediaService, pictures: any PictureInspector,
        names: any NameResolver, clock: any Clock
    ) {
        guard let policy = configuration.media.previews else { return nil }
        let logger = Logger(label: "chappe.previews")
        requests = PermittedRequests(configuration, names: names, clock: clock, logger: logger)
        let client = WebClient(
            requests: requests, userAgent: "Chappe/\(Chappe.configuration.version) (bot; previews of links)")
        previews = PreviewService(
            store: store, media: media, web: client, pictures: pictures, clock: clock, policy: policy, logger: logger)
    }

    /// Ends requests that are under way.
    func stop() async { await requests.close() }
}

extension PermittedRequests {
    /// Requests as the configuration's section `outbound` has them.
    convenience init(_ configuration: Configuration, names: any NameResolver, clock: any Clock, logger: Logger) {
        let outbound = configuration.outbound
        self.init(
            names: names, allowsPrivateAddresses: outbound.allowsPrivateAddresses,
            verifiesTLS: outbound.verifiesTLSOutsideFederation, proxy: outbound.proxy?.address, clock: clock,
            logger: logger)
    }
}
