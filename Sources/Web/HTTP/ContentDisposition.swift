/// Whether browsers may show a file, and under which name they save it.
///
/// [RFC 6266](https://www.rfc-editor.org/rfc/rfc6266),
/// [Serving inline content](https://spec.matrix.org/v1.19/client-server-api/#serving-inline-content).
public enum ContentDisposition {
    /// The value of the header field.
    public static func field(contentType: String, fileName: String?) -> String {
        let disposition = isSafeInline(contentType) ? "inline" : "attachment"
        guard let fileName else { return disposition }
        if fileName.utf8.allSatisfy(isQuotable) { return "\(disposition); filename=\"\(fileName)\"" }
        // All that is left as it is may stand in an extended value too (RFC 8187).
        return "\(disposition); filename*=utf-8''\(PercentEncoding.encode(fileName))"
    }

    /// Whether a browser does nothing but show what is of that type.
    static func isSafeInline(_ contentType: String) -> Bool {
        let type = contentType.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        return safeInlineTypes.contains(type)
    }

    /// Whether a byte can stand in a quoted string as it is, for all that browsers make of it.
    private static func isQuotable(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
            && byte != UInt8(ascii: "%")
    }

    private static let safeInlineTypes: Set<String> = [
        "text/css", "text/plain", "text/csv", "application/json", "application/ld+json", "image/jpeg", "image/gif",
        "image/png", "image/apng", "image/webp", "image/avif", "video/mp4", "video/webm", "video/ogg",
        "video/quicktime", "audio/mp4", "audio/webm", "audio/aac", "audio/mpeg", "audio/ogg", "audio/wave",
        "audio/wav", "audio/x-wav", "audio/x-pn-wav", "audio/flac", "audio/x-flac",
    ]
}
