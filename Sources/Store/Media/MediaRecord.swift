import Database
import Matrix

/// Stands for a file.
public struct MediaNumber: Number, SQLBindable {
    /// The value in the database.
    public let rawValue: Int64
    /// The number of that value.
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Bytes that are kept.
public struct BlobRecord: Sendable, Hashable {
    /// Their SHA-256.
    public var sha256: [UInt8]
    /// What the blob store calls them.
    public var name: String
    /// How many they are.
    public var size: Int64

    /// A record.
    public init(sha256: [UInt8], name: String, size: Int64) {
        self.sha256 = sha256
        self.name = name
        self.size = size
    }
}

/// A file, or a place for one.
public struct MediaRecord: Sendable, Hashable {
    /// What is there.
    public enum Content: Sendable, Hashable {
        /// Nothing yet, and from then on, in milliseconds since 1970, nothing at all.
        case awaited(until: Int64)
        /// These bytes.
        case stored(BlobRecord)
    }

    /// Its number.
    public var number: MediaNumber
    /// Its URI.
    public var reference: MediaReference
    /// Who uploaded it, or is to; `nil` for a copy of another server's file.
    public var uploader: UserNumber?
    /// What it is, as its uploader has it.
    public var contentType: String?
    /// Its name, as its uploader has it.
    public var uploadName: String?
    /// When it was made, in milliseconds since 1970.
    public var created: Int64
    /// Its bytes.
    public var content: Content
    /// Whether an administrator has put it away.
    public var isQuarantined: Bool
    /// Who has: a user ID, or how else they came; `nil` if nobody has, or it is not known.
    public var quarantinedBy: String?
    /// Whether it is not to be put away together with others.
    public var isProtected: Bool
}

/// What its uploader says of a file.
public struct MediaDescription: Sendable, Hashable {
    /// What it is.
    public var contentType: String
    /// Its name.
    public var uploadName: String?

    /// A description.
    public init(contentType: String, uploadName: String?) {
        self.contentType = contentType
        self.uploadName = uploadName
    }
}

/// How a picture is made to fit, as the database has it. Never renumber.
public enum ThumbnailMethod: Int64, Sendable {
    /// All of it is shown.
    case scale = 0
    /// What does not fit is cut off.
    case crop = 1
}

/// Which thumbnail is meant: what was asked for, not what it came to.
public struct ThumbnailKey: Sendable, Hashable {
    /// Pixels across.
    public var width: Int
    /// Pixels down.
    public var height: Int
    /// How the picture is made to fit.
    public var method: ThumbnailMethod
    /// Whether it moves.
    public var isAnimated: Bool

    /// A key.
    public init(width: Int, height: Int, method: ThumbnailMethod, isAnimated: Bool) {
        self.width = width
        self.height = height
        self.method = method
        self.isAnimated = isAnimated
    }
}

/// A thumbnail.
public struct ThumbnailRecord: Sendable, Hashable {
    /// What it is.
    public var contentType: String
    /// Its bytes.
    public var blob: BlobRecord

    /// A record.
    public init(contentType: String, blob: BlobRecord) {
        self.contentType = contentType
        self.blob = blob
    }
}
