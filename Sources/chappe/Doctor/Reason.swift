import Foundation
import NIOCore
import NIOPosix

/// Why a connection was not to be had, in words.
enum Reason {
    static func text(_ error: any Error) -> String {
        guard let error = error as? NIOConnectionError else {
            if let error = error as? IOError { return text(error) }
            return "\(error)"
        }
        guard let first = error.connectionErrors.first else { return "\(error.host) has no address" }
        return (first.error as? IOError).map(text) ?? "\(first.error)"
    }

    private static func text(_ error: IOError) -> String { String(cString: strerror(error.errnoCode)).lowercased() }
}
