import NIOCore
import NIOPosix
import NameLookup
import Synchronization

@testable import FederationOutbound

/// A name server on a UDP socket of 127.0.0.1. What it has not been told does not exist.
final class TestNameServer: Sendable {
    private struct Zone {
        var addresses: [String: [InternetAddress]] = [:]
        var services: [String: [ServiceRecord]] = [:]
        var silent: Set<String> = []
        var asked: [String] = []
    }

    private let zone = Mutex(Zone())
    private let channel: any Channel

    /// The address and port, as the resolver takes them.
    let address: String

    init() async throws {
        let box = Box()
        channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(box)) }
            }.bind(host: "127.0.0.1", port: 0).get()
        address = "127.0.0.1:\(channel.localAddress?.port ?? 0)"
        box.server.withLock { $0 = Weak(server: self) }
    }

    func stop() async { try? await channel.close() }

    /// Tells where a host is.
    func set(_ host: String, _ addresses: String...) {
        zone.withLock { $0.addresses[host] = addresses.compactMap { InternetAddress($0) } }
    }

    /// Tells where a service is.
    func set(service: String, _ records: ServiceRecord...) { zone.withLock { $0.services[service] = records } }

    /// Never answers about a name.
    func silence(_ name: String) { zone.withLock { _ = $0.silent.insert(name) } }

    /// The names asked for, each as `TYPE name`.
    var asked: [String] { zone.withLock { $0.asked } }

    fileprivate func answer(to query: [UInt8]) -> [UInt8]? {
        var labels: [String] = []
        var at = 12
        while at < query.count, query[at] != 0 {
            let end = at + 1 + Int(query[at])
            guard end <= query.count else { return nil }
            labels.append(String(decoding: query[(at + 1)..<end], as: UTF8.self))
            at = end
        }
        guard at + 5 <= query.count else { return nil }
        let type = Int(query[at + 1]) << 8 | Int(query[at + 2])
        let question = query[12..<(at + 5)]
        let name = labels.joined(separator: ".").lowercased()
        let (records, exists, isSilent) = zone.withLock { zone in
            zone.asked.append("\(type) \(name)")
            return (Self.records(type, name, zone), Self.exists(name, zone), zone.silent.contains(name))
        }
        if isSilent { return nil }
        var answer = Array(query[0..<2])
        answer += [0x81, exists ? 0x80 : 0x83, 0, 1, 0, UInt8(records.count), 0, 0, 0, 0]
        answer += question
        for record in records {
            // The name is that of the question.
            answer += [0xC0, 12, UInt8(type >> 8), UInt8(type & 255), 0, 1, 0, 0, 0, 60]
            answer += [UInt8(record.count >> 8), UInt8(record.count & 255)] + record
        }
        return answer
    }

    private static func exists(_ name: String, _ zone: Zone) -> Bool {
        zone.addresses[name] != nil || zone.services[name] != nil
    }

    private static func records(_ type: Int, _ name: String, _ zone: Zone) -> [[UInt8]] {
        switch type {
        case 1: (zone.addresses[name] ?? []).filter(\.isIPv4).map(\.bytes)
        case 28: (zone.addresses[name] ?? []).filter { !$0.isIPv4 }.map(\.bytes)
        case 33:
            (zone.services[name] ?? []).map { record in
                var bytes: [UInt8] = []
                for number in [record.priority, record.weight, record.port] {
                    bytes += [UInt8(number >> 8), UInt8(number & 255)]
                }
                for label in record.host.split(separator: ".") {
                    bytes += [UInt8(label.utf8.count)] + Array(label.utf8)
                }
                return bytes + [0]
            }
        default: []
        }
    }

    private struct Weak {
        weak var server: TestNameServer?
    }

    private final class Box: Sendable {
        let server = Mutex(Weak())
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        private let box: Box

        init(_ box: Box) { self.box = box }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let query = Self.unwrapInboundIn(data)
            guard let server = box.server.withLock({ $0.server }),
                let answer = server.answer(to: Array(buffer: query.data))
            else { return }
            let envelope = AddressedEnvelope(remoteAddress: query.remoteAddress, data: ByteBuffer(bytes: answer))
            context.writeAndFlush(Self.wrapOutboundOut(envelope), promise: nil)
        }
    }
}
