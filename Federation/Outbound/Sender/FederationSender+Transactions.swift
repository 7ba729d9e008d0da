import FederationWire
import Homeserver
import Logging
import Matrix
import Store

extension FederationSender {
    /// One transaction, from putting it together to writing down that it was delivered.
    func transact(with server: ServerName) async {
        var draft: TransactionDraft?
        var action = machines[server]?.begin() ?? .none
        while isRunning {
            switch action {
            case .load(let order):
                do {
                    let (loaded, page) = try await loader.draft(order, for: server)
                    draft = loaded
                    action =
                        machines[server]?.loaded(
                            loaded.delivery, isEmpty: loaded.isEmpty, page: page, now: clock.now) ?? .none
                } catch {
                    log("a transaction could not be put together", server, "\(error)", .warning)
                    action =
                        machines[server]?.loadFailed(tookDeviceMessages: order.takesDeviceMessages, now: clock.now)
                        ?? .none
                }
            case .send:
                guard let draft else { return }
                action = await send(draft, to: server)
            case .store(let delivery): action = await store(delivery, for: server)
            case .skip(let delivery):
                log("passed over what a server refuses", server, "events or messages are lost to it", .error)
                action = await store(delivery, for: server)
            case .retry:
                await storeFailure(of: server)
                perform(action, for: server)
                return
            case .none, .start, .wake:
                perform(action, for: server)
                return
            }
        }
    }

    private func send(_ draft: TransactionDraft, to server: ServerName) async -> DestinationMachine.Action {
        let transaction = FederationTransaction(
            origin: serverName, originServerTS: clock.now, pdus: draft.pdus, edus: draft.edus)
        do {
            counts.transactions += 1
            let errors = try await transport.send(transaction, id: draft.id(of: transaction), to: server)
            counts.events += draft.pdus.count
            counts.edus += draft.edus.count
            for (event, message) in errors {
                logger.debug(
                    "an event was not accepted",
                    metadata: ["server": "\(server)", "event": "\(event)", "reason": "\(message)"])
            }
            return machines[server]?.delivered(now: clock.now) ?? .none
        } catch {
            // What was broken off says nothing about the server.
            guard isRunning, !Task.isCancelled else { return .none }
            log("a transaction did not arrive", server, error.message, .debug)
            // What is no answer of the server itself, or none about the transaction, says nothing about what was sent.
            let failure: DestinationMachine.Failure =
                error.isAnswer && [400, 413, 422].contains(error.status)
                ? .refused(error.message)
                : .unreachable(error.message, retryAfterMilliseconds: error.retryAfterMilliseconds)
            return machines[server]?.failed(failure, now: clock.now, chance: chance()) ?? .none
        }
    }

    private func store(
        _ delivery: DestinationMachine.Delivery, for server: ServerName
    ) async -> DestinationMachine.Action {
        guard let record = machines[server]?.record(of: server) else { return .none }
        do {
            try await store.write { writer in
                try writer.destinations.set(record)
                try writer.outgoingDeviceMessages.delete(delivery.deviceMessages)
            }
            return machines[server]?.stored(queued: record.queuedThrough) ?? .none
        } catch {
            log("it could not be written down what was delivered", server, "\(error)", .warning)
            return machines[server]?.storeFailed(now: clock.now) ?? .none
        }
    }

    private func storeFailure(of server: ServerName) async {
        guard let record = machines[server]?.record(of: server) else { return }
        do {
            try await store.write { try $0.destinations.set(record) }
            machines[server]?.wrote(queued: record.queuedThrough)
        } catch {
            log("it could not be written down that a server failed", server, "\(error)", .warning)
        }
    }

    func log(_ message: Logger.Message, _ server: ServerName, _ reason: String, _ level: Logger.Level) {
        logger.log(level: level, message, metadata: ["server": "\(server)", "reason": "\(reason)"])
    }
}

extension TransactionDraft {
    /// What the machine is told of it.
    var delivery: DestinationMachine.Delivery {
        .init(
            sentThrough: sentThrough, deviceMessages: deviceMessages, hasMoreDeviceMessages: hasMoreDeviceMessages)
    }

    /// Names the transaction: the same as long as it carries the same, also after a restart.
    ///
    /// The place in the journal is for people who read logs. It alone would not do: after a backup has been restored
    /// it stands for something else, and whoever has seen the name before would take the new for the old.
    func id(of transaction: FederationTransaction) -> String {
        "\(sentThrough)-\(deviceMessages.last ?? 0)-\(transaction.fingerprint)"
    }
}
