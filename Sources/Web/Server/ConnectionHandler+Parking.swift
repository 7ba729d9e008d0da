extension ConnectionHandler {
    /// Keeps a request whose response comes later. Its task has ended.
    func park(_ response: any ParkedResponse, _ exchange: Exchange) {
        guard current === exchange, !exchange.responseStarted else { return }
        let isCancelled = exchange.task?.isCancelled ?? false
        exchange.task = nil
        exchange.parked = response
        if isCancelled { return endParking(of: exchange) }
        response.park { self.onLoop { self.unpark(exchange) } }
    }

    /// Goes on with a request, unless it is not parked any more.
    private func unpark(_ exchange: Exchange) {
        guard let response = exchange.parked.take(), current === exchange else { return }
        run(exchange) { try await response.resume() }
    }

    /// Lets a parked request answer now with what there is.
    func endParking(of exchange: Exchange) {
        exchange.parked?.leave()
        unpark(exchange)
        exchange.task?.cancel()
    }
}
