import Matrix
import Store

/// The threads that the user follows.
///
/// [MSC4308](https://github.com/matrix-org/matrix-spec-proposals/pull/4308)
extension SlidingSyncService {
    /// Whether there is something to say of the threads that the user follows.
    func hasThreadNews(_ work: SlidingWork, _ moment: SlidingMoment) -> Bool {
        guard work.request.extensions.threadSubscriptions != nil else { return false }
        return isFirst(work, moment) || moment.news?.changes.hasThreadSubscriptions ?? true
    }

    func addThreadSubscriptions(
        _ work: inout SlidingWork, _ moment: SlidingMoment, to answer: inout SlidingAnswer
    ) async throws {
        guard let limit = work.request.extensions.threadSubscriptions, hasThreadNews(work, moment) else { return }
        let page = try await sync.rooms.threadSubscriptions(
            of: work.request.user, after: isFirst(work, moment) ? nil : moment.since?.position,
            through: moment.end.position, limit: limit)
        work.state.sentThreadSubscriptions = work.state.threadSubscriptions.number
        if !page.wishes.isEmpty { answer.threadSubscriptions = page }
    }

    private func isFirst(_ work: SlidingWork, _ moment: SlidingMoment) -> Bool {
        moment.since == nil || work.state.sentThreadSubscriptions != work.state.threadSubscriptions.number
    }
}
