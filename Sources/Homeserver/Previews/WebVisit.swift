import Matrix

/// The requests that one preview costs: none where the policy does not allow it, all of them within one time.
struct WebVisit: Sendable {
    let service: PreviewService
    /// When all of it must be over, in milliseconds since 1970.
    let deadline: Int64

    /// Opens an address, or where it leads to. Every address on the way is looked at as the first one was.
    ///
    /// - Throws: ``WebFailure``; `MatrixError` 403 for an address that is not asked.
    func open(_ first: WebAddress, accepts: String) async throws -> (WebAddress, WebAnswer) {
        let policy = service.policy
        var address = first
        for _ in 0...policy.maximumRedirects {
            guard policy.permits(address) else { throw PreviewService.forbidden }
            let left = deadline - service.clock.now
            guard left > 0 else { throw WebFailure.tooSlow }
            let answer = try await service.web.get(
                address, accepts: accepts, languages: languages, timeoutMilliseconds: left)
            switch answer.status {
            case 200..<300: return (address, answer)
            case 301, 302, 303, 307, 308:
                guard let next = answer.header("location").flatMap(address.following) else {
                    throw WebFailure.unreachable("leads to nowhere")
                }
                address = next
            default: throw WebFailure.unreachable("status \(answer.status)")
            }
        }
        throw WebFailure.unreachable("leads on too often")
    }

    /// The beginning of an answer's body.
    func read(_ answer: WebAnswer, atMost limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit, let piece = try await answer.next() { bytes += piece.prefix(limit - bytes.count) }
        return bytes
    }

    private var languages: String? {
        let languages = service.policy.languages
        if languages.isEmpty { return nil }
        return languages.enumerated().map { index, language in
            index == 0 ? language : "\(language);q=0.\(max(1, 9 - index))"
        }.joined(separator: ", ")
    }
}
