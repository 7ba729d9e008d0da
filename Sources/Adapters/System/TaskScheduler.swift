import Homeserver

/// Calls back later, from tasks that sleep.
public struct TaskScheduler: Scheduler {
    /// A scheduler.
    public init() {}

    /// Calls `action` after that time, in a task of its own.
    public func after(milliseconds: Int64, _ action: @escaping @Sendable () -> Void) {
        Task {
            // Nobody can cancel it, and so the sleep does not fail.
            try? await Task.sleep(for: .milliseconds(milliseconds))
            action()
        }
    }
}
