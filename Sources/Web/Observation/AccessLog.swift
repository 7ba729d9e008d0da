import Logging

/// A line per request at debug level. Never a query, never a header: tokens travel in both.
struct AccessLog: Sendable {
    let logger: Logger

    func record(_ exchange: Exchange, status: Int, microseconds: Int64, peerAddress: String) {
        logger.debug(
            "request",
            metadata: [
                "request": "\(exchange.id)", "method": "\(exchange.method.rawValue)",
                "route": "\(exchange.entry.route.pattern)", "status": "\(status)", "duration_us": "\(microseconds)",
                "received_bytes": "\(exchange.receivedBytes)", "sent_bytes": "\(exchange.sentBytes)",
                "peer": "\(peerAddress)",
            ])
    }
}
