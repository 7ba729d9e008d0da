import CVips
import Homeserver
import Store

/// One thumbnail, on a thread that may block.
struct ThumbnailJob {
    /// Where the original is.
    enum Input: Sendable {
        case file(path: String)
        case bytes([UInt8])
    }

    let input: Input
    let maximumPixels: Int

    /// A thumbnail.
    func thumbnail(_ key: ThumbnailKey) throws -> Thumbnail {
        try withSource { try make(key, $0) }
    }

    /// What the picture says of itself.
    func inspect() throws -> PictureDescription {
        try withSource { open in
            let picture = try describe(open)
            guard let type = Self.types[picture.format] else { throw ThumbnailFailure.notAPicture }
            // From the fifth on, orientations are of pictures that lie on their side.
            let isTurned = picture.orientation >= 5
            return PictureDescription(
                contentType: type, width: Int(isTurned ? picture.height : picture.width),
                height: Int(isTurned ? picture.width : picture.height))
        }
    }

    private func withSource<T>(_ body: (() -> OpaquePointer?) throws -> T) throws -> T {
        switch input {
        case .file(let path): try body { chappe_vips_file(path) }
        case .bytes(let bytes):
            // libvips reads the bytes where they are, until the end of `body`.
            try bytes.withUnsafeBytes { buffer in
                try body { chappe_vips_memory(buffer.baseAddress, buffer.count) }
            }
        }
    }

    private func make(_ key: ThumbnailKey, _ open: () -> OpaquePointer?) throws -> Thumbnail {
        let picture = try describe(open)
        let pixels = Int(picture.width) * Int(picture.height)
        guard pixels <= maximumPixels else { throw ThumbnailFailure.tooLarge }
        let frames = max(1, Int(picture.pages))
        // What is cut is cut from the frames as one long strip: only what scales can move.
        let animates = key.isAnimated && key.method == .scale && frames > 1 && pixels * frames <= maximumPixels
        let isSmall = Int(picture.width) <= key.width && Int(picture.height) <= key.height
        if isSmall, frames == 1 || animates, picture.orientation == 1, let type = Self.types[picture.format] {
            return .original(contentType: type)
        }
        guard let source = open() else { throw ThumbnailFailure.damaged }
        defer { chappe_vips_release(UnsafeMutableRawPointer(source)) }
        let image = chappe_vips_thumbnail(
            source, Int32(clamping: key.width), Int32(clamping: key.height), key.method == .crop ? 1 : 0,
            animates ? 1 : 0)
        guard let image else { throw ThumbnailFailure.damaged }
        defer { chappe_vips_release(UnsafeMutableRawPointer(image)) }
        if animates { return .made(bytes: try encode(image, ".webp[Q=75,strip]"), contentType: "image/webp") }
        if chappe_vips_has_alpha(image) != 0 {
            return .made(bytes: try encode(image, ".png[strip]"), contentType: "image/png")
        }
        return .made(bytes: try encode(image, ".jpg[Q=80,strip,optimize_coding]"), contentType: "image/jpeg")
    }

    private func describe(_ open: () -> OpaquePointer?) throws -> chappe_picture {
        guard let source = open() else { throw ThumbnailFailure.notAPicture }
        defer { chappe_vips_release(UnsafeMutableRawPointer(source)) }
        var picture = chappe_picture()
        guard chappe_vips_describe(source, &picture) == 0 else { throw ThumbnailFailure.damaged }
        guard picture.format != 0 else { throw ThumbnailFailure.notAPicture }
        guard picture.width > 0, picture.height > 0 else { throw ThumbnailFailure.damaged }
        return picture
    }

    private func encode(_ image: OpaquePointer, _ suffix: String) throws -> [UInt8] {
        var bytes: UnsafeMutableRawPointer?
        var count = 0
        guard chappe_vips_encode(image, suffix, &bytes, &count) == 0, let bytes else { throw ThumbnailFailure.damaged }
        defer { chappe_vips_free(bytes) }
        return Array(UnsafeRawBufferPointer(start: bytes, count: count))
    }

    /// By the number in `chappe_picture`.
    private static let types: [Int32: String] = [
        Int32(CHAPPE_PICTURE_JPEG): "image/jpeg", Int32(CHAPPE_PICTURE_PNG): "image/png",
        Int32(CHAPPE_PICTURE_GIF): "image/gif", Int32(CHAPPE_PICTURE_WEBP): "image/webp",
    ]
}
