/// Pictures made byte by byte, so that tests need no other program to make them.
public enum TestPictures {
    /// A PNG, no two neighboring pixels alike.
    ///
    /// - Parameters:
    ///   - width: Pixels across.
    ///   - height: Pixels down.
    ///   - isTransparent: Whether it can be seen through.
    public static func png(width: Int, height: Int, isTransparent: Bool = false) -> [UInt8] {
        var rows: [UInt8] = []
        rows.reserveCapacity(height * (width * 4 + 1))
        for y in 0..<height {
            rows.append(0)
            for x in 0..<width {
                rows += [UInt8(x * 255 / width), UInt8(y * 255 / height), UInt8((x ^ y) & 255)]
                if isTransparent { rows.append(UInt8(x & 255)) }
            }
        }
        return png(width: width, height: height, colorType: isTransparent ? 6 : 2, rows: rows)
    }

    /// A PNG that says it has that many pixels, and has none.
    public static func hollowPNG(width: Int, height: Int) -> [UInt8] {
        png(width: width, height: height, colorType: 2, rows: [0, 0, 0, 0])
    }

    private static func png(width: Int, height: Int, colorType: UInt8, rows: [UInt8]) -> [UInt8] {
        let header = bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, colorType, 0, 0, 0]
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
            + chunk("IDAT", stored(rows)) + chunk("IEND", [])
    }

    /// A GIF of frames, each of one color.
    public static func gif(width: Int, height: Int, frames: Int) -> [UInt8] {
        func short(_ value: Int) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8 & 255)] }
        var bytes = Array("GIF89a".utf8) + short(width) + short(height) + [0xF6, 0, 0]
        for index in 0..<128 { bytes += [UInt8(index * 2), UInt8(255 - index * 2), 128] }
        bytes += [0x21, 0xFF, 11] + Array("NETSCAPE2.0".utf8) + [3, 1, 0, 0, 0]
        for frame in 0..<frames {
            bytes += [0x21, 0xF9, 4, 0, 10, 0, 0, 0, 0x2C, 0, 0, 0, 0] + short(width) + short(height) + [0, 7]
            // Codes of eight bits, as long as the table is emptied often enough: a byte a pixel.
            var codes: [UInt8] = []
            for pixel in 0..<(width * height) {
                if pixel % 100 == 0 { codes.append(0x80) }
                codes.append(UInt8(frame * 40 % 128))
            }
            codes.append(0x81)
            var rest = codes[...]
            while !rest.isEmpty {
                let block = rest.prefix(255)
                bytes += [UInt8(block.count)] + block
                rest = rest.dropFirst(block.count)
            }
            bytes.append(0)
        }
        return bytes + [0x3B]
    }

    /// A JPEG with a note that says which way is up.
    ///
    /// - Parameters:
    ///   - jpeg: A JPEG without such a note.
    ///   - value: 1 to 8; 6 means that a camera was held upright.
    public static func oriented(_ jpeg: [UInt8], _ value: UInt8) -> [UInt8] {
        let directory: [UInt8] = [0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0]
        let note = Array("Exif\0\0MM\0*".utf8) + [0, 0, 0, 8] + directory
        let length = note.count + 2
        return Array(jpeg[..<2]) + [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)] + note + jpeg[2...]
    }

    /// The size that the head of a PNG, JPEG or WebP says, or `nil` if it is none of them.
    public static func size(of bytes: [UInt8]) -> (width: Int, height: Int)? {
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 << 8 | Int($1) } }
        if bytes.count > 24, bytes[1...3].elementsEqual("PNG".utf8) { return (number(16..<20), number(20..<24)) }
        if bytes.count > 30, bytes[8..<16].elementsEqual("WEBPVP8X".utf8) {
            func little(_ at: Int) -> Int { Int(bytes[at]) | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]) << 16 }
            return (little(24) + 1, little(27) + 1)
        }
        guard bytes.starts(with: [0xFF, 0xD8]) else { return nil }
        var index = 2
        while index + 9 < bytes.count, bytes[index] == 0xFF {
            if bytes[index + 1] == 0xC0 || bytes[index + 1] == 0xC2 {
                return (number(index + 7..<index + 9), number(index + 5..<index + 7))
            }
            index += 2 + number(index + 2..<index + 4)
        }
        return nil
    }

    // MARK: -

    private static func chunk(_ type: String, _ body: [UInt8]) -> [UInt8] {
        let named = Array(type.utf8) + body
        return bigEndian(UInt32(body.count)) + named + bigEndian(checksum(named))
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { table[Int(($0 ^ UInt32($1)) & 255)] ^ ($0 >> 8) }
    }

    /// The format of zlib, with nothing compressed.
    private static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = [0x78, 0x01]
        var rest = bytes[...]
        repeat {
            let block = rest.prefix(65_535)
            rest = rest.dropFirst(block.count)
            let length = UInt16(block.count)
            out += [rest.isEmpty ? 1 : 0, UInt8(length & 255), UInt8(length >> 8)]
            out += [UInt8(~length & 255), UInt8(~length >> 8)] + block
        } while !rest.isEmpty
        var (a, b) = (UInt32(1), UInt32(0))
        for byte in bytes {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return out + bigEndian(b << 16 | a)
    }
}
