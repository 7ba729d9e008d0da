#if os(Linux)
    import Foundation
    import Glibc

    /// The pages of the program's own files that it holds in memory.
    ///
    /// Starting runs once through most of the program, and the kernel maps the fifteen pages around each one that is touched:
    /// three times what serving needs. They are given back; those that are needed again come from the system's cache, at the price
    /// of a page fault.
    public enum ProgramPages {
        /// How often to look whether the program is at work.
        private static let interval = Duration.seconds(1)
        /// The share of one processor below which it is at rest.
        private static let rest = 0.05

        /// Gives pages back whenever the program comes to rest: after the start, and after each time of work. Ends with its task.
        public static func run() async {
            var hasWorked = true
            var before = processorTime
            while !Task.isCancelled {
                do { try await Task.sleep(for: interval) } catch { return }
                let now = processorTime
                let isWorking = now - before > interval * rest
                before = now
                if !isWorking, hasWorked { release() }
                hasWorked = isWorking
            }
        }

        /// What the process has used so far.
        private static var processorTime: Duration {
            var time = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        }

        /// Gives back all pages that hold what the files hold.
        static func release() {
            guard let map = try? String(contentsOfFile: "/proc/self/smaps", encoding: .utf8) else { return }
            for range in ranges(in: map) {
                guard let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound) else { continue }
                // Nothing is lost if it fails.
                madvise(start, range.count, MADV_DONTNEED)
            }
        }

        /// The address ranges of files that are mapped, cannot be written to, and hold no page that differs from the file: such a
        /// page would be lost.
        ///
        /// - Parameter map: A text in the form of
        ///   [/proc/PID/smaps](https://www.kernel.org/doc/html/latest/filesystems/proc.html).
        static func ranges(in map: String) -> [Range<UInt>] {
            var found: [Range<UInt>] = []
            var candidate: Range<UInt>?
            for line in map.utf8.split(separator: UInt8(ascii: "\n")) {
                let words = line.split(separator: UInt8(ascii: " "))
                guard let first = words.first else { continue }
                if first.last != UInt8(ascii: ":") {
                    candidate = words.count >= 6 ? range(first, access: words[1], path: words[5]) : nil
                } else if let range = candidate, first.elementsEqual("Anonymous:".utf8) {
                    if words.count > 1, words[1].elementsEqual("0".utf8) { found.append(range) }
                    candidate = nil
                }
            }
            return found
        }

        private static func range(
            _ addresses: Substring.UTF8View, access: Substring.UTF8View, path: Substring.UTF8View
        ) -> Range<UInt>? {
            let isReadOnly = access.starts(with: "r-".utf8) && access.last == UInt8(ascii: "p")
            guard isReadOnly, path.first == UInt8(ascii: "/") else { return nil }
            let ends = Substring(addresses).split(separator: "-").map { UInt($0, radix: 16) }
            guard ends.count == 2, let start = ends[0], let end = ends[1], start < end else { return nil }
            return start..<end
        }
    }
#endif
