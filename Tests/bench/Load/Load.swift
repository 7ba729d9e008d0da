import Glibc

/// Runs one plan and keeps what is measured.
final class Load {
    private let plan: Plan
    private let connections: Connections
    private var milliseconds: [Double] = []
    private var failures = 0
    private var firstFailure: String?
    private var bytes = 0
    private var sent = 0
    private var since: [String?]

    init(_ plan: Plan) throws {
        self.plan = plan
        connections = Connections(port: plan.port)
        since = plan.clients.map(\.since)
        milliseconds.reserveCapacity(plan.count)
        // Those who will wait connect one after the other, each with its request at once: a server closes connections on which
        // nothing is asked.
        if plan.mode != .idle { for _ in plan.clients { _ = try connections.open() } }
    }

    func run() throws -> Outcome {
        let begun = nanoseconds()
        switch plan.mode {
        case .send: sendMessages()
        case .sync: sync()
        case .fanOut: fanOut()
        case .idle: try waitIdly()
        }
        let seconds = Double(nanoseconds() - begun) / 1e9
        failures += connections.broken.count + connections.underWay
        milliseconds.sort()
        return Outcome(
            count: milliseconds.count, failures: failures, seconds: seconds, p50Milliseconds: percentile(0.5),
            p99Milliseconds: percentile(0.99), bytes: bytes, firstFailure: firstFailure
        )
    }

    // MARK: Modes

    private func sendMessages() {
        for index in plan.clients.indices where sent < plan.count { sendNext(index) }
        connections.run(until: { connections.underWay == 0 }) { index, response, time in
            if take(response) { milliseconds.append(time) }
            if sent < plan.count { sendNext(index) }
        }
    }

    private func sync() {
        for index in plan.clients.indices where sent < plan.count {
            sent += 1
            connections.send(syncRequest(index), on: index)
        }
        connections.run(until: { connections.underWay == 0 }) { index, response, time in
            if take(response) { milliseconds.append(time) }
            if plan.clients[index].since != nil { since[index] = next(response.body, index) ?? since[index] }
            if sent < plan.count {
                sent += 1
                connections.send(syncRequest(index), on: index)
            }
        }
    }

    private func fanOut() {
        let listeners = plan.clients.count - 1
        var arrived = 0
        var sentAt = nanoseconds()
        let marker = Array("marker-\(plan.label)-".utf8)
        for index in 1...listeners { connections.send(syncRequest(index), on: index) }
        // A moment for all of them to be waiting, so that the first message finds them so.
        usleep(500_000)
        sendNext(0)
        connections.run(until: { arrived == plan.count * listeners }) { index, response, _ in
            guard take(response) else { return }
            if index == 0 { return }
            let messages = Self.occurrences(of: marker, in: response.body)
            for _ in 0..<messages { milliseconds.append(Double(nanoseconds() - sentAt) / 1e6) }
            arrived += messages
            since[index] = next(response.body, index) ?? since[index]
            if arrived < plan.count * listeners { connections.send(syncRequest(index), on: index) }
            if arrived == sent * listeners, sent < plan.count {
                sentAt = nanoseconds()
                sendNext(0)
            }
        }
        failures -= connections.underWay  // polls that nothing more will answer
    }

    private func waitIdly() throws {
        for index in plan.clients.indices {
            connections.send(syncRequest(try connections.open()), on: index)
            // Servers accept a few at a time.
            if index % 10 == 9 { keepWaiting(milliseconds: 10) }
        }
        for _ in 0..<60 {
            let before = milliseconds.count
            keepWaiting(milliseconds: 1_000)
            let broken = connections.takeBroken()
            for index in broken { connections.send(syncRequest(index), on: index) }
            if broken.isEmpty, milliseconds.count == before { break }
        }
        print("waiting")
        fflush(nil)
        var ended = false
        // Standard input's end ends it.
        while !ended {
            keepWaiting(milliseconds: 200)
            var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
            ended = poll(&input, 1, 0) > 0
        }
        failures += plan.clients.count - connections.underWay - connections.broken.count
        failures -= connections.underWay
    }

    /// Takes in what has come, for so long. Whoever is told something asks on, as clients do.
    private func keepWaiting(milliseconds patience: Int) {
        let end = nanoseconds() + UInt64(patience) * 1_000_000
        connections.run(until: { nanoseconds() >= end }, patienceMilliseconds: Int32(patience)) {
            index, response, time in
            guard take(response) else { return }
            milliseconds.append(time)
            since[index] = next(response.body, index) ?? since[index]
            connections.send(syncRequest(index), on: index)
        }
    }

    // MARK: Requests

    private func sendNext(_ index: Int) {
        sent += 1
        let client = plan.clients[index]
        let body =
            #"{"msgtype":"m.text","body":"marker-\#(plan.label)-\#(sent): a message of an ordinary length, say"}"#
        let path = "/_matrix/client/v3/rooms/\(client.room ?? "")/send/m.room.message/\(plan.label)-\(sent)"
        connections.send(request("PUT", path, token: client.token, body: body), on: index)
    }

    private func syncRequest(_ index: Int) -> [UInt8] {
        if let body = plan.clients[index].sliding { return slidingRequest(index, body) }
        var path = "/_matrix/client/v3/sync?timeout=\(plan.timeoutMilliseconds)"
        if let since = since[index] { path += "&since=\(since)" }
        return request("GET", path, token: plan.clients[index].token, body: nil)
    }

    private func slidingRequest(_ index: Int, _ body: String) -> [UInt8] {
        var path =
            "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout=\(plan.timeoutMilliseconds)"
        if let since = since[index] { path += "&pos=\(Self.escaped(since))" }
        return request("POST", path, token: plan.clients[index].token, body: body)
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "-_.~".contains(character))
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(character) : digits.count == 1 ? "%0\(digits)" : "%\(digits)"
        }.joined()
    }

    private func request(_ method: String, _ path: String, token: String, body: String?) -> [UInt8] {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(token)\r\n"
        if let body {
            text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        } else {
            text += "\r\n"
        }
        return Array(text.utf8)
    }

    // MARK: Responses

    private func take(_ response: ResponseParser.Response) -> Bool {
        bytes += response.body.count
        guard response.status != 200 else { return true }
        failures += 1
        firstFailure =
            firstFailure ?? "\(response.status) \(String(decoding: response.body.prefix(300), as: UTF8.self))"
        return false
    }

    /// Where the client's next sync goes on.
    private func next(_ body: ArraySlice<UInt8>, _ index: Int) -> String? {
        let key = Array((plan.clients[index].sliding == nil ? #""next_batch":""# : #""pos":""#).utf8)
        guard let start = Self.position(of: key, in: body, from: body.startIndex) else { return nil }
        return String(decoding: body[(start + key.count)...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }

    private static func occurrences(of marker: [UInt8], in body: ArraySlice<UInt8>) -> Int {
        var count = 0
        var start = body.startIndex
        while let found = position(of: marker, in: body, from: start) {
            count += 1
            start = found + marker.count
        }
        return count
    }

    private static func position(of needle: [UInt8], in body: ArraySlice<UInt8>, from start: Int) -> Int? {
        body.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress else { return nil }
            var offset = start - body.startIndex
            while offset + needle.count <= bytes.count {
                guard let hit = memchr(base + offset, Int32(needle[0]), bytes.count - offset) else { return nil }
                offset = UnsafeRawPointer(hit) - base
                guard offset + needle.count <= bytes.count else { return nil }
                if memcmp(hit, needle, needle.count) == 0 { return body.startIndex + offset }
                offset += 1
            }
            return nil
        }
    }

    private func percentile(_ part: Double) -> Double {
        guard !milliseconds.isEmpty else { return 0 }
        return milliseconds[min(milliseconds.count - 1, Int(Double(milliseconds.count) * part))]
    }
}
