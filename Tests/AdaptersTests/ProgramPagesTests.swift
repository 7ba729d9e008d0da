#if os(Linux)
    import Foundation
    import Testing

    @testable import Adapters

    @Suite struct ProgramPagesTests {
        private static let map = """
            55d0c0a00000-55d0c2900000 r-xp 00c42000 fe:00 1234                       /usr/bin/chappe
            Size:              31744 kB
            Rss:               20276 kB
            Anonymous:             0 kB
            VmFlags: rd ex mr mw me
            55d0c2900000-55d0c2a46000 r--p 02baf000 fe:00 1234                       /usr/bin/chappe
            Rss:                1304 kB
            Anonymous:          1304 kB
            55d0c2a46000-55d0c5000000 rw-p 02cf4000 fe:00 1234                       /usr/bin/chappe
            Rss:                3460 kB
            Anonymous:             0 kB
            7f5668000000-7f5669245000 rw-p 00000000 00:00 0
            Rss:               18544 kB
            Anonymous:         18544 kB
            7f5669300000-7f5669400000 r--s 00000000 fe:00 99                         /var/lib/chappe/chappe.db
            Rss:                1024 kB
            Anonymous:             0 kB
            7f5669500000-7f5669600000 r--p 00000000 fe:00 77                         /usr/lib/libc.so.6
            Rss:                 512 kB
            Anonymous:             0 kB
            7ffc3a5e0000-7ffc3a5e2000 r-xp 00000000 00:00 0                          [vdso]
            Rss:                   8 kB
            Anonymous:             0 kB
            """

        @Test func onlyPagesThatAreAsTheFileHasThemAreGivenBack() {
            #expect(
                ProgramPages.ranges(in: Self.map) == [
                    0x55d0_c0a0_0000..<0x55d0_c290_0000, 0x7f56_6950_0000..<0x7f56_6960_0000,
                ])
            #expect(ProgramPages.ranges(in: "").isEmpty)
            #expect(ProgramPages.ranges(in: "zz-yy r-xp 0 0 0 /x\nAnonymous: 0 kB").isEmpty)
        }

        @Test func theProgramRunsOnAfterwards() throws {
            let before = try #require(Self.pagesOfFiles())
            ProgramPages.release()
            let after = try #require(Self.pagesOfFiles())
            #expect(after < before)
            let text = JSONSerialization.isValidJSONObject(["a": [1, 2]])
            #expect(text)
        }

        private static func pagesOfFiles() -> Int? {
            let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
            return text?.split(separator: " ").dropFirst(2).first.flatMap { Int($0) }
        }
    }
#endif
