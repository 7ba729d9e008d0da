import Homeserver
import Matrix
import Store
import TestSupport
import Testing

@Suite struct ThumbnailTests {
    @Test func picturesHaveThumbnails() async throws {
        try await MediaServer.onEachEngine(policy: MediaPolicy()) { server in
            let path = try await server.upload(TestPictures.png(width: 1000, height: 500), type: "image/png")
            let scaled = try await server.thumbnail(path, "width=200&height=200&method=scale")
            #expect(scaled.status == 200)
            #expect(scaled.headers["Content-Type"] == "image/jpeg")
            #expect(scaled.headers["Content-Disposition"] == "inline; filename=\"thumbnail.jpeg\"")
            let size = try #require(TestPictures.size(of: scaled.bytes))
            #expect((size.width, size.height) == (320, 160))
            #expect(server.fileCount == 2)
            // All that are not larger share it.
            let smaller = try await server.thumbnail(path, "width=50&height=10")
            #expect(smaller.headers["ETag"] == scaled.headers["ETag"])
            #expect(server.fileCount == 2)
            let cropped = try await server.thumbnail(path, "width=48&height=48&method=crop")
            let square = try #require(TestPictures.size(of: cropped.bytes))
            #expect((square.width, square.height) == (96, 96))
            let old = try await server.ask(.get, "media/r0/thumbnail/\(path)?width=64&height=64&method=crop", as: nil)
            #expect(old.bytes == cropped.bytes)
            // Larger than the original: the original.
            let large = try await server.thumbnail(path, "width=2000&height=2000")
            #expect(large.headers["Content-Type"] == "image/png")
            #expect(large.bytes == TestPictures.png(width: 1000, height: 500))
            #expect(server.fileCount == 3)
        }
    }

    @Test func thumbnailsGoWithTheirFile() async throws {
        try await MediaServer.onEachEngine(policy: MediaPolicy()) { server in
            let path = try await server.upload(TestPictures.png(width: 400, height: 400))
            _ = try await server.thumbnail(path, "width=32&height=32&method=crop")
            _ = try await server.thumbnail(path, "width=640&height=480")
            #expect(server.fileCount == 2)
            try await server.media.delete(try #require(MediaReference(uri: "mxc://" + path)))
            try await server.media.sweep()
            #expect(server.fileCount == 0)
        }
    }

    @Test func aCrowdGetsOneThumbnail() async throws {
        try await MediaServer.onEachEngine(policy: MediaPolicy()) { server in
            let path = try await server.upload(TestPictures.png(width: 400, height: 400))
            let tags = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await server.thumbnail(path, "width=96&height=96&method=crop").headers["ETag"]
                    }
                }
                return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
            }
            #expect(tags.count == 1)
            #expect(server.fileCount == 2)
        }
    }

    @Test func whatIsNoPictureHasNone() async throws {
        try await MediaServer.onEachEngine(policy: MediaPolicy()) { server in
            let text = try await server.upload(Array("no picture".utf8), type: "image/png")
            let whole = TestPictures.png(width: 200, height: 200)
            let cut = try await server.upload(Array(whole[..<(whole.count / 2)]), type: "image/png")
            for path in [text, cut] {
                let answer = try await server.thumbnail(path, "width=32&height=32&method=crop")
                #expect(answer.status == 400)
                #expect(answer.code == "M_UNKNOWN")
                // It can be downloaded all the same.
                #expect(try await server.download(path).status == 200)
            }
            let bomb = try await server.upload(TestPictures.hollowPNG(width: 40_000, height: 40_000))
            let answer = try await server.thumbnail(bomb, "width=32&height=32&method=crop")
            #expect(answer.status == 413)
            #expect(answer.code == "M_TOO_LARGE")
            #expect(server.fileCount == 3)
        }
    }

    @Test(arguments: [
        ("", "M_MISSING_PARAM"), ("width=32", "M_MISSING_PARAM"), ("width=0&height=32", "M_INVALID_PARAM"),
        ("width=-1&height=32", "M_INVALID_PARAM"), ("width=a&height=32", "M_INVALID_PARAM"),
        ("width=1&height=1&method=stretch", "M_INVALID_PARAM"), ("width=1&height=1&animated=so", "M_INVALID_PARAM"),
    ])
    func senselessSizesAreRefused(query: String, code: String) async throws {
        try await MediaServer.onEachEngine { server in
            let path = try await server.upload(TestPictures.png(width: 40, height: 40))
            let answer = try await server.thumbnail(path, query)
            #expect(answer.status == 400)
            #expect(answer.code == code)
        }
    }

    @Test(arguments: [
        (1, 1, 320, 240), (320, 240, 320, 240), (240, 320, 640, 480), (801, 10, 1600, 1200),
        (9999, 1, 100_000, 100_000),
    ])
    func sizesToScaleToAreFew(width: Int, height: Int, boxWidth: Int, boxHeight: Int) {
        let key = ThumbnailKey(coveringWidth: width, height: height, method: .scale, isAnimated: false)
        #expect((key.width, key.height) == (boxWidth, boxHeight))
    }

    @Test(arguments: [(1, 1, 32, 32), (33, 96, 96, 96), (200, 97, 240, 240), (4000, 32, 100_000, 32)])
    func sizesToCropToAreFew(width: Int, height: Int, cropWidth: Int, cropHeight: Int) {
        let key = ThumbnailKey(coveringWidth: width, height: height, method: .crop, isAnimated: false)
        #expect((key.width, key.height) == (cropWidth, cropHeight))
    }
}
