/// Calls back later. Nothing in the services waits by itself, so that tests and simulations decide when time passes.
public protocol Scheduler: Sendable {
    /// Calls `action` once, not before `milliseconds` have passed.
    ///
    /// There is no way to take it back: who asks must be able to tell that it is no longer needed.
    func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void)
}
