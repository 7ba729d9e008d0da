import NIOCore
import NIOSSL

/// Checks that a certificate is for whom it must be for, beyond what the TLS library checks.
///
/// The library takes a certificate for the address connected to as good for any name. Names are looked up without protection, so
/// whoever can forge an answer and has a certificate for an address of theirs could pass for every server. Here a certificate must name
/// the host itself, among its alternative names.
enum TLSIdentity {
    /// The certificate is for somebody else.
    struct Mismatch: Error, CustomStringConvertible {
        let description: String
    }

    /// Closes a connection whose certificate is not for that name; nothing has been sent on it yet.
    static func check(_ channel: any Channel, _ name: Destination.CertificateName) -> EventLoopFuture<Void> {
        channel.nioSSL_peerCertificate().flatMapThrowing { certificate in
            guard let certificate, matches(certificate, name) else {
                throw Mismatch(description: "the certificate is not for \(name)")
            }
        }.flatMapErrorThrowing { error in
            channel.close(promise: nil)
            throw error
        }
    }

    static func matches(_ certificate: NIOSSLCertificate, _ name: Destination.CertificateName) -> Bool {
        certificate._subjectAlternativeNames().contains { alternative in
            switch (name, alternative.nameType) {
            case (.domain(let domain), .dnsName): isPattern(Array(alternative.contents), for: domain)
            case (.address(let address), .ipAddress): Array(alternative.contents) == address.bytes
            default: false
            }
        }
    }

    /// Whether a certificate's name is that domain, or stands for it with its first label a `*`.
    ///
    /// [RFC 6125, section 6.4](https://www.rfc-editor.org/rfc/rfc6125#section-6.4)
    static func isPattern(_ pattern: [UInt8], for domain: String) -> Bool {
        guard let text = String(validating: pattern, as: UTF8.self), !pattern.contains(0) else { return false }
        let pattern = HostName.canonical(text)
        let domain = HostName.canonical(domain)
        guard pattern.utf8.starts(with: "*.".utf8) else { return pattern.utf8.elementsEqual(domain.utf8) }
        let parent = domain.utf8.drop { $0 != UInt8(ascii: ".") }
        // At least two labels after the star: nobody is given a certificate for all of a top-level domain.
        let suffix = pattern.utf8.dropFirst()
        return parent.count < domain.utf8.count && suffix.dropFirst().contains(UInt8(ascii: "."))
            && parent.elementsEqual(suffix)
    }
}
