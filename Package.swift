// swift-tools-version: 6.2
import PackageDescription

/// lld links in a tenth of the time of the default linker. Its relative relocations take 50 KiB where the usual ones take 3 MiB,
/// all of which are read, and so resident, from the start.
let linking: [LinkerSetting] = [
    .unsafeFlags(["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--icf=safe"])
]

/// Layers, top to bottom: `chappe` → `ClientAPI`, `AdminAPI`, `FederationInbound`, `FederationOutbound` → `Homeserver` (and
/// `Web`, `FederationWire`) → `Store` → `Database`, `Schema`;
/// `RoomEngine` and `Matrix` know nothing of storage or network. Imports go down only; `make check` builds with
/// `--explicit-target-dependency-import-check error`.
let package = Package(
    name: "chappe",
    products: [.executable(name: "chappe", targets: ["chappe"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // C libraries of the system
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CCares", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
        // The flags of "vips" itself name a few that SwiftPM refuses, and dozens that nothing here needs: it is loaded at run time.
        .systemLibrary(name: "CGObject", pkgConfig: "gobject-2.0", providers: [.apt(["libvips-dev"])]),
        .target(name: "CVips", dependencies: ["CGObject"]),
        // Loaded at run time too. Its header comes from libpq-dev.
        .target(name: "CLibpq"),

        // What a homeserver is made of
        .target(
            name: "Matrix",
            dependencies: ["CSodium", .product(name: "Crypto", package: "swift-crypto")]
        ),
        .target(
            name: "RoomEngine",
            dependencies: ["Matrix", .product(name: "Collections", package: "swift-collections")]
        ),
        .target(name: "Database", dependencies: ["CSQLite", "CLibpq"]),
        .target(name: "Schema", dependencies: ["Database"], path: "Schema"),
        .target(
            name: "Store",
            dependencies: [
                "Matrix", "Database", "Schema", .product(name: "Collections", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),
        .target(
            name: "Homeserver",
            dependencies: [
                "Matrix", "RoomEngine", "Store", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Collections", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "Web",
            dependencies: [
                "Matrix", "CZlib", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "ClientAPI", dependencies: ["Matrix", "Store", "Homeserver", "Web"]),
        .target(name: "AdminAPI", dependencies: ["Matrix", "Store", "Homeserver", "Web"]),
        // Where hosts are, and whether anybody outside may be led there
        .target(name: "NameLookup", dependencies: ["CCares"]),
        .target(
            name: "Adapters",
            dependencies: [
                "Matrix", "Store", "Homeserver", "NameLookup", "CSodium", "CVips",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "JWTKit", package: "jwt-kit"), .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        // How it speaks with other homeservers
        .target(
            name: "FederationWire",
            dependencies: ["Matrix", .product(name: "Crypto", package: "swift-crypto")], path: "Federation/Wire"
        ),
        .target(
            name: "FederationOutbound",
            dependencies: [
                "FederationWire", "Matrix", "Homeserver", "Store", "Database", "NameLookup",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Federation/Outbound"
        ),
        .target(
            name: "FederationInbound",
            dependencies: [
                "FederationWire", "Matrix", "RoomEngine", "Homeserver", "Store", "Web",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Federation/Inbound"
        ),

        .executableTarget(
            name: "chappe",
            dependencies: [
                "Matrix", "RoomEngine", "Database", "Schema", "Store", "Homeserver", "Web", "ClientAPI", "AdminAPI",
                "Adapters", "NameLookup", "FederationWire", "FederationOutbound", "FederationInbound",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            linkerSettings: linking
        ),

        // The load generator of `make bench`
        .executableTarget(name: "chappe-load", path: "Tests/bench/Load", linkerSettings: linking),

        // The simulator of `make sim`
        .target(
            name: "SimulationKit",
            dependencies: [
                "FederationInbound", "FederationOutbound", "FederationWire", "Homeserver", "RoomEngine", "Store",
                "Database", "Matrix", .product(name: "Collections", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/simulation/Kit"
        ),
        .executableTarget(
            name: "chappe-sim",
            dependencies: [
                "SimulationKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/simulation/Command"
        ),
        .testTarget(name: "SimulationTests", dependencies: ["chappe-sim"], path: "Tests/simulation/Tests"),

        // Tests
        .testTarget(name: "MatrixTests", dependencies: ["Matrix"]),
        .testTarget(name: "RoomEngineTests", dependencies: ["RoomEngine", "Matrix"]),
        .target(name: "TestSupport", dependencies: ["Matrix", "Database", "CLibpq"], path: "Tests/TestSupport"),
        .testTarget(name: "DatabaseTests", dependencies: ["Database", "TestSupport"]),
        .testTarget(
            name: "WebTests",
            dependencies: [
                "Web", "Matrix", "TestSupport", "CZlib", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .testTarget(
            name: "HomeserverTests",
            dependencies: [
                "Homeserver", "Store", "RoomEngine", "Database", "Schema", "Matrix", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "AdaptersTests",
            dependencies: [
                "Adapters", "Homeserver", "NameLookup", "Store", "Matrix", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "ClientAPITests",
            dependencies: [
                "ClientAPI", "AdminAPI", "Adapters", "Web", "Homeserver", "RoomEngine", "Store", "Database", "Schema",
                "Matrix", "TestSupport", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .testTarget(
            name: "FederationTests",
            dependencies: [
                "FederationWire", "FederationOutbound", "FederationInbound", "AdminAPI", "Adapters", "NameLookup",
                "Web",
                "Homeserver", "RoomEngine", "Store", "Database", "Schema", "Matrix", "TestSupport",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]
        ),
        .testTarget(name: "StoreTests", dependencies: ["Store", "Database", "Schema", "Matrix", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)
