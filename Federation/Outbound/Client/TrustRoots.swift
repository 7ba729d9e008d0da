import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The authorities whose certificates are believed, read once for all connections.
public struct TrustRoots: Sendable {
    let roots: NIOSSLTrustRoots
    let additional: [NIOSSLAdditionalTrustRoots]

    /// Where distributions keep the authorities.
    private static let systemFiles = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    ]

    /// The system's authorities and those of a file.
    ///
    /// - Parameter file: A path to certificates in PEM form.
    /// - Throws: If the file cannot be read or holds no certificates.
    public init(additionalFile file: String? = nil) throws {
        // Parsed here once, instead of by the library for each server that is connected to.
        let path = Self.systemFiles.first { access($0, R_OK) == 0 }
        let system = try path.map { try NIOSSLCertificate.fromPEMFile($0) }
        roots = system.map { .certificates($0) } ?? .default
        additional = try file.map { [.certificates(try NIOSSLCertificate.fromPEMFile($0))] } ?? []
    }
}
