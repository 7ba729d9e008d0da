import Logging
import Matrix
import Store
import Synchronization

/// Tells what web pages are about: clients show it beneath messages with links, without asking the pages themselves.
///
/// Anybody with an account can name any address: where that leads is looked at anew with each step, and all of it is bounded.
/// [GET /media/preview_url](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url)
public final class PreviewService: Sendable {
    let store: Store
    let media: MediaService
    let web: any WebFetcher
    let pictures: any PictureInspector
    let clock: any Clock
    let policy: PreviewPolicy
    private let logger: Logger
    private let underWay = SingleFlight<WebAddress, [UInt8]>()
    private let busy = Mutex(0)

    /// - Parameters:
    ///   - store: Where previews are kept.
    ///   - media: Where their pictures are kept.
    ///   - web: Gets pages.
    ///   - pictures: Looks at pictures.
    ///   - policy: Which pages, and what they may cost.
    public init(
        store: Store, media: MediaService, web: any WebFetcher, pictures: any PictureInspector, clock: any Clock,
        policy: PreviewPolicy, logger: Logger
    ) {
        self.store = store
        self.media = media
        self.web = web
        self.pictures = pictures
        self.clock = clock
        self.policy = policy
        self.logger = logger
    }

    /// What a page says of itself: the text of a JSON object.
    ///
    /// - Parameters:
    ///   - text: The page's address.
    ///   - timestamp: What the page was like then, in milliseconds since 1970; now if `nil`. An earlier preview is told if there is one.
    /// - Throws: 400 `M_INVALID_PARAM`, 403 `M_FORBIDDEN` for an address that is not asked, 429 if too many are asked for, 502 if the
    ///   page cannot be had.
    public func preview(of text: String, at timestamp: Int64?) async throws -> [UInt8] {
        guard let address = WebAddress(text) else {
            throw MatrixError.invalidParameter("The url is none of a web page")
        }
        guard policy.permits(address) else { throw Self.forbidden }
        let now = clock.now
        let then = min(timestamp ?? now, now)
        if let known = try await store.read({ try $0.previews.preview(of: address.description, at: then, now: now) }) {
            return known
        }
        return try await underWay.run(address) { [self] in
            let isFree = busy.withLock { busy in
                guard busy < policy.maximumAtOnce else { return false }
                busy += 1
                return true
            }
            guard isFree else { throw MatrixError.limitExceeded(retryAfterMilliseconds: 2_000) }
            defer { busy.withLock { $0 -= 1 } }
            return try await make(address)
        }
    }

    private func make(_ address: WebAddress) async throws -> [UInt8] {
        let visit = WebVisit(service: self, deadline: clock.now + policy.timeoutMilliseconds)
        let page: Page
        do { page = try await read(address, visit) } catch let failure as WebFailure {
            logger.info("no preview", metadata: ["host": "\(address.host)", "reason": "\(failure)"])
            throw Self.error(for: failure)
        }
        let preview = JSONValue.object(page.preview).serialized()
        let now = clock.now
        let expires = now + page.freshMilliseconds
        try await store.write {
            try $0.previews.insert(preview, of: address.description, fetched: now, expires: expires)
        }
        return preview
    }

    /// What came of reading a page.
    private struct Page {
        var preview: JSONObject = [:]
        let freshMilliseconds: Int64
    }

    private func read(_ address: WebAddress, _ visit: WebVisit) async throws -> Page {
        let (final, answer) = try await visit.open(
            address, accepts: "text/html, application/xhtml+xml, image/*;q=0.9, */*;q=0.5")
        var page = Page(freshMilliseconds: freshness(answer))
        let type = answer.mediaType ?? "text/html"
        if type.utf8.starts(with: "image/".utf8) {
            if let picture = try await picture(final, answer) { add(picture, to: &page.preview) }
        } else if type == "text/html" || type == "application/xhtml+xml" {
            let bytes = try await visit.read(answer, atMost: policy.maximumPageBytes)
            let text = CharacterSets.utf8(bytes, contentType: answer.header("content-type")) { [web] text, name in
                web.utf8(text, in: name)
            }
            var description = PageDescription(text)
            let base = description.base.flatMap { final.following($0) } ?? final
            await ask(&description, base, visit)
            for (name, value) in description.properties { page.preview[name] = .string(value) }
            if let picture = await firstPicture(description, base, visit) { add(picture, to: &page.preview) }
        }
        return page
    }

    /// Asks a page's description in JSON, where the page itself says too little.
    private func ask(_ description: inout PageDescription, _ base: WebAddress, _ visit: WebVisit) async {
        let isEnough = description.value("og:title") != nil && !description.pictures.isEmpty
        guard !isEnough, let address = description.oEmbed.flatMap({ base.following($0) }),
            let (_, answer) = try? await visit.open(address, accepts: "application/json"),
            let bytes = try? await visit.read(answer, atMost: Self.maximumDescriptionBytes),
            let json = try? JSON(parsing: bytes)
        else { return }
        description.fill("og:title", json["title"]?.string)
        description.fill("og:site_name", json["provider_name"]?.string)
        let isPhoto = json["type"]?.string.map { $0.utf8.elementsEqual("photo".utf8) } ?? false
        if let picture = json[isPhoto ? "url" : "thumbnail_url"]?.string { description.addPicture(picture) }
    }

    /// The first of a page's pictures that is one.
    private func firstPicture(_ description: PageDescription, _ base: WebAddress, _ visit: WebVisit) async
        -> PreviewImage?
    {
        for reference in description.pictures.prefix(Self.maximumPictures) {
            guard let address = base.following(reference) else { continue }
            do {
                if let picture = try await picture(address, visit) { return picture }
            } catch {
                // The page is worth telling of without it.
                logger.info(
                    "no picture for a preview", metadata: ["host": "\(address.host)", "reason": "\(error)"])
            }
        }
        return nil
    }

    private func add(_ picture: PreviewImage, to preview: inout JSONObject) {
        preview["og:image"] = .string(picture.reference.uri)
        preview["og:image:type"] = .string(picture.contentType)
        preview["og:image:width"] = .integer(Int64(picture.width))
        preview["og:image:height"] = .integer(Int64(picture.height))
        preview["matrix:image:size"] = .integer(picture.size)
    }

    private func freshness(_ answer: WebAnswer) -> Int64 {
        let told = answer.header("cache-control")?.lowercased().split(separator: ",").compactMap { part -> Int64? in
            let part = part.split(separator: " ").joined()
            return part.hasPrefix("max-age=") ? Int64(part.dropFirst("max-age=".count)) : nil
        }.first
        guard let told, told > 0 else { return policy.freshMilliseconds.lowerBound }
        let milliseconds = min(told, 1 << 32) * 1_000
        return min(max(milliseconds, policy.freshMilliseconds.lowerBound), policy.freshMilliseconds.upperBound)
    }

    // MARK: Errors

    static let forbidden = MatrixError.forbidden("This server makes no previews of this address")

    private static func error(for failure: WebFailure) -> MatrixError {
        switch failure {
        case .forbiddenAddress: forbidden
        case .unreachable: MatrixError(502, .unknown, "The page cannot be had")
        case .tooSlow: MatrixError(502, .unknown, "The page is too slow")
        }
    }

    private static let maximumPictures = 3
    private static let maximumDescriptionBytes = 256 << 10

    // MARK: Clearing away

    /// Forgets previews and pictures that are old, and what is too much. To be called now and then.
    public func sweep() async throws {
        let now = clock.now
        let policy = policy
        while try await store.write({ writer in
            try writer.previews.deleteExpired(
                fetchedBefore: now - policy.keptMilliseconds, keeping: policy.maximumKept, now: now, limit: 100)
        }) > 0 {}
    }

    /// Sweeps now and then, until the task is cancelled. What fails is tried again the next time.
    public func run(every interval: Duration = .seconds(3600)) async {
        while !Task.isCancelled {
            do { try await sweep() } catch {
                logger.warning("old previews not removed", metadata: ["error": "\(error)"])
            }
            // Only cancellation ends a wait early, and the loop looks at that.
            try? await Task.sleep(for: interval)
        }
    }
}
