import Matrix

/// How far a client has heard: a place in the journal, and in the changes of who is typing, which are not in it.
///
/// Clients treat it as opaque. The same token stands for a place in every room's timeline, where pages of history begin.
public struct SyncToken: Sendable, Hashable {
    /// Everything at or before it is known.
    public let position: StreamPosition
    /// The serial number of the last change of who is typing that is known.
    public let typing: Int64
    /// The last message to the device that is known: further back than `position` where many were waiting.
    public let message: StreamPosition

    /// A token.
    public init(_ position: StreamPosition, typing: Int64 = 0, message: StreamPosition? = nil) {
        self.position = position
        self.typing = typing
        self.message = message ?? position
    }

    /// The token of that text. What follows a dot says where a connection of sliding sync stands (``SlidingPosition``): it is the same place.
    ///
    /// - Throws: 400 `M_INVALID_PARAM` if it is none of ours.
    public init(parsing text: String) throws {
        let text = text.prefix { $0 != "." }
        let parts = text.dropFirst().split(separator: "_", omittingEmptySubsequences: false).map { Int64($0) }
        guard text.utf8.first == UInt8(ascii: "s"), (1...3).contains(parts.count), !parts.contains(nil),
            let position = parts[0]
        else { throw MatrixError.invalidParameter("This is no token of this server") }
        self.init(
            StreamPosition(position), typing: (parts.count > 1 ? parts[1] : nil) ?? 0,
            message: (parts.count > 2 ? parts[2] : nil).map { StreamPosition($0) }
        )
    }

    /// The token's text.
    public var text: String {
        if message != position { return "s\(position)_\(typing)_\(message)" }
        return typing == 0 ? "s\(position)" : "s\(position)_\(typing)"
    }
}
