extension ConnectionHandler {
    /// Keeps a request whose response comes later. Its task has ended.
    func park(_ response: any ParkedResponse, _ exchange: Exchange, _ request: HTTPRequest) {
        guard current === exchange, !exchange.responseStarted else { return }
        let isCancelled = exchange.task?.isCancelled ?? false
        exchange.task = nil
        exchange.parked = (response, request)
        if isCancelled { return endParking(of: exchange) }
        response.park { self.onLoop { self.unpark(exchange) } }
    }

    /// Goes on with a request, unless it is not parked any more.
    private func unpark(_ exchange: Exchange) {
        guard let (response, request) = exchange.parked.take(), current === exchange else { return }
        run(exchange, request) { _ in try await response.resume() }
    }

    /// Lets a parked request answer now with what there is.
    func endParking(of exchange: Exchange) {
        exchange.parked?.response.leave()
        unpark(exchange)
        exchange.task?.cancel()
    }
}
