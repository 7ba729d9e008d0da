import Store

extension ThumbnailKey {
    /// The thumbnail that serves a request: of one of a few sizes, so that a picture has few thumbnails, and at least as large as
    /// what was asked for.
    ///
    /// - Parameters:
    ///   - width: Pixels across, at least 1.
    ///   - height: Pixels down, at least 1.
    ///   - method: How the picture is made to fit.
    ///   - isAnimated: Whether it moves.
    ///
    /// [Thumbnails](https://spec.matrix.org/v1.19/client-server-api/#thumbnails) names the five smallest sizes.
    public init(coveringWidth width: Int, height: Int, method: ThumbnailMethod, isAnimated: Bool) {
        switch method {
        case .scale:
            let box = Self.boxes.first { $0.width >= width && $0.height >= height } ?? Self.unlimited
            self.init(width: box.width, height: box.height, method: .scale, isAnimated: isAnimated)
        case .crop:
            self.init(
                width: Self.edge(atLeast: width), height: Self.edge(atLeast: height), method: .crop,
                isAnimated: isAnimated)
        }
    }

    private static func edge(atLeast length: Int) -> Int { edges.first { $0 >= length } ?? unlimited.width }

    private static let boxes: [(width: Int, height: Int)] = [
        (320, 240), (640, 480), (800, 600), (1600, 1200), (3200, 2400),
    ]
    /// Beyond every picture that is small enough to be read: what fits is as large as the original.
    private static let unlimited = (width: 100_000, height: 100_000)
    private static let edges = [32, 96, 240, 320, 480, 640, 800, 1200, 1600, 3200]
}
