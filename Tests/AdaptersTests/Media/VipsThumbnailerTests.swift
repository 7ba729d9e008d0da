import Homeserver
import Store
import TestSupport
import Testing

@testable import Adapters

@Suite struct VipsThumbnailerTests {
    let thumbnailer = VipsThumbnailer(threads: 1)

    private func make(
        _ picture: [UInt8], _ width: Int, _ height: Int, _ method: ThumbnailMethod = .scale, animated: Bool = false
    ) async throws -> Thumbnail {
        let key = ThumbnailKey(width: width, height: height, method: method, isAnimated: animated)
        return try await thumbnailer.thumbnail(
            of: Self.pieces(picture), sizeBytes: Int64(picture.count), key)
    }

    private func made(_ thumbnail: Thumbnail) throws -> (bytes: [UInt8], type: String, width: Int, height: Int) {
        guard case .made(let bytes, let type) = thumbnail else { throw Unexpected() }
        let size = try #require(TestPictures.size(of: bytes))
        return (bytes, type, size.width, size.height)
    }

    private static func pieces(_ bytes: [UInt8]) -> BlobSource {
        .pieces { range, write in try await write(Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])) }
    }

    @Test func scalingKeepsTheShape() async throws {
        let thumbnail = try made(try await make(TestPictures.png(width: 800, height: 400), 320, 240))
        #expect(thumbnail.type == "image/jpeg")
        #expect((thumbnail.width, thumbnail.height) == (320, 160))
    }

    @Test func croppingFillsTheFrame() async throws {
        let thumbnail = try made(try await make(TestPictures.png(width: 800, height: 400), 96, 96, .crop))
        #expect((thumbnail.width, thumbnail.height) == (96, 96))
    }

    @Test func whatIsTransparentStaysSo() async throws {
        let picture = TestPictures.png(width: 400, height: 400, isTransparent: true)
        let thumbnail = try made(try await make(picture, 320, 240))
        #expect(thumbnail.type == "image/png")
        // Color type 6: with alpha.
        #expect(thumbnail.bytes[25] == 6)
    }

    @Test func nothingIsMadeLarger() async throws {
        let picture = TestPictures.png(width: 100, height: 50)
        for method in [ThumbnailMethod.scale, .crop] {
            guard case .original(let type) = try await make(picture, 320, 240, method) else { throw Unexpected() }
            #expect(type == "image/png")
        }
        let cut = try made(try await make(picture, 96, 96, .crop))
        #expect((cut.width, cut.height) == (96, 50))
    }

    @Test func cameraPicturesAreTurnedUprightAndTellNothing() async throws {
        let jpeg = try made(try await make(TestPictures.png(width: 800, height: 400), 640, 480)).bytes
        let upright = TestPictures.oriented(jpeg, 6)
        let thumbnail = try made(try await make(upright, 320, 240))
        #expect((thumbnail.width, thumbnail.height) == (120, 240))
        #expect(!thumbnail.bytes.contains(sequence: "Exif"))
        let cut = try made(try await make(upright, 240, 96, .crop))
        #expect((cut.width, cut.height) == (240, 96))
        // As small as was asked for, but not upright.
        let whole = try made(try await make(upright, 1600, 1200))
        #expect((whole.width, whole.height) == (320, 640))
    }

    @Test func picturesMoveOnlyWhenAsked() async throws {
        let picture = TestPictures.gif(width: 400, height: 300, frames: 3)
        let still = try made(try await make(picture, 320, 240))
        #expect(still.type == "image/jpeg" || still.type == "image/png")
        let moving = try made(try await make(picture, 320, 240, animated: true))
        #expect(moving.type == "image/webp")
        #expect((moving.width, moving.height) == (320, 240))
        #expect(moving.bytes.contains(sequence: "ANIM"))
        // A small one is good as it is, but only for who wants it to move.
        let small = TestPictures.gif(width: 32, height: 24, frames: 2)
        guard case .original(let type) = try await make(small, 320, 240, animated: true) else { throw Unexpected() }
        #expect(type == "image/gif")
        #expect(try made(try await make(small, 320, 240)).width == 32)
    }

    @Test func bombsAreNotDecoded() async throws {
        let bomb = TestPictures.hollowPNG(width: 50_000, height: 50_000)
        await #expect(throws: ThumbnailFailure.tooLarge) { try await make(bomb, 96, 96, .crop) }
        let small = VipsThumbnailer(limits: .init(bytes: 100), threads: 1)
        let key = ThumbnailKey(width: 32, height: 32, method: .crop, isAnimated: false)
        let picture = TestPictures.png(width: 64, height: 64)
        await #expect(throws: ThumbnailFailure.tooLarge) {
            try await small.thumbnail(of: Self.pieces(picture), sizeBytes: Int64(picture.count), key)
        }
    }

    @Test func whatBreaksOffIsRefused() async throws {
        let png = TestPictures.png(width: 400, height: 400)
        let jpeg = try made(try await make(TestPictures.png(width: 800, height: 400), 640, 480)).bytes
        let gif = TestPictures.gif(width: 400, height: 400, frames: 1)
        for picture in [png, jpeg, gif] {
            await #expect(throws: ThumbnailFailure.damaged) {
                try await make(Array(picture[..<(picture.count / 2)]), 96, 96, .crop)
            }
        }
    }

    @Test func onlyFourFormatsAreRead() async throws {
        let others = [
            "", "Not a picture at all, but a text.", "%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"100\"><rect width=\"9\" height=\"9\"/></svg>",
            "P6 400 400 255\n" + String(repeating: "abc", count: 160_000), "BM", "II*\0", "#?RADIANCE\n",
        ]
        for text in others {
            await #expect(throws: ThumbnailFailure.notAPicture) { try await make(Array(text.utf8), 32, 32, .crop) }
        }
    }

    @Test func damagedPicturesNeverCrash() async throws {
        let jpeg = try made(try await make(TestPictures.png(width: 200, height: 100), 96, 96, .crop)).bytes
        let originals = [
            TestPictures.png(width: 40, height: 30), jpeg, TestPictures.gif(width: 40, height: 30, frames: 2),
        ]
        var random = SplitMix(seed: 5)
        for round in 0..<150 {
            var picture = originals[round % originals.count]
            for _ in 0..<3 { picture[Int(random.next() % UInt64(picture.count))] = UInt8(random.next() & 255) }
            do { _ = try await make(picture, 32, 32, .crop) } catch is ThumbnailFailure {
                // Any of them will do: the point is that an answer comes.
            }
        }
    }

    @Test func nobodyWaitsBehindTooManyOthers() async throws {
        let none = VipsThumbnailer(limits: .init(pending: 0), threads: 1)
        let key = ThumbnailKey(width: 32, height: 32, method: .crop, isAnimated: false)
        await #expect(throws: ThumbnailFailure.busy) {
            try await none.thumbnail(of: Self.pieces([]), sizeBytes: 0, key)
        }
    }
}

private struct Unexpected: Error {}

private struct SplitMix {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension [UInt8] {
    fileprivate func contains(sequence text: String) -> Bool {
        let wanted = Array(text.utf8)
        return indices.contains { self[$0...].starts(with: wanted) }
    }
}
