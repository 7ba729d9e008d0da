import Adapters
import Homeserver
import Logging
import NameLookup
import Store

/// What makes previews of web pages.
struct PreviewServices: Sendable {
    let previews: PreviewService
    private let client: WebClient

    /// The services, or `nil` if there are no previews.
    ///
    /// - Throws: ``CommandFailure`` with a sentence for the administrator.
    init?(
        _ configuration: Configuration, store: Store, media: MediaService, pictures: any PictureInspector,
        clock: any Clock
    ) throws {
        guard let policy = configuration.media.previews else { return nil }
        let outbound = configuration.outbound
        let names: AresResolver
        do { names = try AresResolver() } catch {
            throw CommandFailure("names cannot be looked up: \(error)")
        }
        let logger = Logger(label: "chappe.previews")
        client = WebClient(
            names: names, allowsPrivateAddresses: outbound.allowsPrivateAddresses,
            verifiesTLS: outbound.verifiesTLSOutsideFederation, proxy: outbound.proxy?.address,
            userAgent: "Chappe/\(Chappe.configuration.version) (bot; previews of links)", clock: clock, logger: logger)
        previews = PreviewService(
            store: store, media: media, web: client, pictures: pictures, clock: clock, policy: policy, logger: logger)
    }

    /// Ends requests that are under way.
    func stop() async { await client.close() }
}
