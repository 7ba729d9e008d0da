import FederationInbound
import FederationOutbound
import Foundation
import Store
import Synchronization
import Web

/// All that `/metrics` says. Deploy/METRICS.md explains every name.
final class ServerMetrics: Sendable {
    private let http: HTTPMetrics
    private let services: Services
    private let events = Atomic<UInt64>(0)

    init(_ http: HTTPMetrics, _ services: Services) {
        self.http = http
        self.services = services
        services.store.journal.listen { [weak self] entries in
            let count = entries.count { if case .event = $0.change { true } else { false } }
            self?.events.wrappingAdd(UInt64(count), ordering: .relaxed)
        }
    }

    /// The metrics of now.
    func text() async -> String {
        var text = PrometheusText()
        text.header("chappe_build_info", "gauge", "The version that runs.")
        text.sample(
            "chappe_build_info", "version=\"\(Chappe.version)\",engine=\"\(services.store.database.engine)\"", 1)
        writeProcess(to: &text)
        writeStore(to: &text)
        services.pushes.write(to: &text)
        if let traffic = services.traffic { await write(traffic, to: &text) }
        return text.text + http.prometheusText()
    }

    private func writeStore(to text: inout PrometheusText) {
        let store = services.store
        text.value(
            "synapse_storage_events_persisted_events_total", "counter", "Events stored since the start.",
            events.load(ordering: .relaxed))
        text.value("chappe_journal_position", "gauge", "The end of the journal.", store.journal.end.rawValue)
        text.value(
            "chappe_database_waiting_writes", "gauge", "Writes that wait for the database.",
            store.database.waitingWrites)
        text.value(
            "chappe_database_waiting_reads", "gauge", "Reads that wait for the database.", store.database.waitingReads)
    }

    private func write(_ traffic: FederationTraffic, to text: inout PrometheusText) async {
        let sent = await traffic.sender.currentCounts()
        let received = traffic.receiver.receivedCounts
        text.value(
            "synapse_federation_client_sent_transactions_total", "counter", "Transactions sent to other servers.",
            sent.transactions)
        text.value(
            "synapse_federation_client_sent_pdu_destinations_total", "counter",
            "Events delivered, once for each server.", sent.events)
        text.value(
            "synapse_federation_client_sent_edus_total", "counter",
            "Ephemeral messages delivered, once for each server.", sent.edus)
        text.value(
            "synapse_federation_transaction_queue_pending_destinations", "gauge",
            "Servers for which something waits or is under way.", sent.waitingServers)
        text.value(
            "chappe_federation_failing_destinations", "gauge", "Those of them that did not answer the last time.",
            sent.failingServers)
        text.value(
            "synapse_federation_server_received_pdus_total", "counter", "Events that other servers pushed.",
            received.events)
        text.value(
            "synapse_federation_server_received_edus_total", "counter", "Ephemeral messages that other servers pushed.",
            received.edus)
    }

    // MARK: The process

    private func writeProcess(to text: inout PrometheusText) {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
        text.value(
            "process_cpu_seconds_total", "counter", "Processor time, in seconds.",
            seconds(usage.ru_utime) + seconds(usage.ru_stime))
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        text.value("process_max_fds", "gauge", "How many files may be open.", UInt64(limit.rlim_cur))
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
        text.value("process_open_fds", "gauge", "How many files are open.", open)
        let pages = Self.fields("/proc/self/statm").compactMap { Int($0) }
        if pages.count > 1 {
            let size = sysconf(Int32(_SC_PAGESIZE))
            text.value("process_virtual_memory_bytes", "gauge", "Addresses in use, in bytes.", pages[0] * size)
            text.value("process_resident_memory_bytes", "gauge", "Memory in use, in bytes.", pages[1] * size)
        }
        if let start = Self.startTime {
            text.value("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", start)
        }
    }

    private static func fields(_ path: String) -> [Substring] {
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        return String(decoding: data, as: UTF8.self).split { $0 == " " || $0 == "\n" }
    }

    /// The start of the machine and the ticks from there to the start of the process.
    private static let startTime: Double? = {
        let boot = fields("/proc/stat")
        guard let index = boot.firstIndex(of: "btime"), index + 1 < boot.count, let seconds = Double(boot[index + 1])
        else { return nil }
        // The name, in parentheses, may hold blanks; behind it the field is the 20th.
        guard let data = FileManager.default.contents(atPath: "/proc/self/stat") else { return nil }
        let behind = String(decoding: data, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
        guard behind.count > 19, let ticks = Double(behind[19]) else { return nil }
        return seconds + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }()
}
