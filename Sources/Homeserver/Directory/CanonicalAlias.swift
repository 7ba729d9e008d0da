import Matrix
import Store

extension RoomService {
    /// Takes an alias that is gone out of what a room calls its own, if it is there and the user may.
    ///
    /// Whoever made an alias may remove it without any power in the room: then the room goes on naming it.
    ///
    /// [Canonical alias](https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3directoryroomroomalias): servers may update
    /// the event when an alias is removed.
    public func dropCanonicalAlias(_ alias: RoomAlias, in room: RoomID, by user: Requester) async throws {
        let view = try await view(try await number(of: room))
        guard var content = try await view.event(StateKey(.canonicalAlias))?.event.content.value else { return }
        let before = content
        let name = JSONValue.string(alias.string)
        if content["alias"] == name { content["alias"] = nil }
        if case .array(let others)? = content["alt_aliases"] {
            let kept = others.filter { $0 != name }
            content["alt_aliases"] = kept.isEmpty ? nil : .array(kept)
        }
        guard content != before else { return }
        do {
            _ = try await setState(.canonicalAlias, key: "", content: content.json, in: room, by: user)
        } catch let error as MatrixError where error.status == 403 {
            return
        }
    }
}
