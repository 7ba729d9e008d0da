import CLibpq

/// The functions of libpq, which is loaded when it is first used: by ``PostgresConnecting``, which sees to it that it is there.
nonisolated(unsafe) let libpq: UnsafePointer<chappe_libpq_functions>! = chappe_libpq()

extension String {
    /// A text that libpq gives, which never is null as long as there is memory.
    init(libpq text: UnsafePointer<CChar>?) { self = text.map { String(cString: $0) } ?? "" }
}
