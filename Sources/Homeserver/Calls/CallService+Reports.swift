import Crypto
import Matrix
import Store

extension CallService {
    // All of them have to fit into an event.
    private static let maximumRecordings = 20
    private static let maximumLinkBytes = 1_024
    private static let maximumNames = 50
    private static let longestName = 60

    /// Hears what a conference service tells of its meetings: who comes and goes, that it is over, where recordings are.
    ///
    /// - Parameters:
    ///   - body: What it sends.
    ///   - authorization: A token with the body's hash, as LiveKit signs it.
    ///   - signature: Or the body's HMAC-SHA256: `sha256=` and hexadecimal digits.
    /// - Throws: 404 if it is not to be heard; 401 `M_UNAUTHORIZED` if it is not that service.
    public func hear(
        _ body: [UInt8], of service: String, authorization: String?, signature: String?
    ) async throws {
        guard let conference = try? conference(service), let access = conference.reports else {
            throw MatrixError.unrecognized
        }
        guard let report = await report(body, access, authorization, signature) else {
            throw MatrixError(401, .unauthorized, "This is not signed as it must be")
        }
        let now = clock.now
        // What is older than what is remembered could have been heard before.
        if let happened = report.happenedTS, happened < now - Self.reportMilliseconds + 60_000 { return }
        guard let name = report.room,
            let meeting = try await store.read({ try $0.meetings.meeting(named: name, at: conference.name) })
        else { return }
        do { try await take(report, meeting, conference, access) } catch is HeardBefore { return }
    }

    private func report(
        _ body: [UInt8], _ access: Conference.ReportAccess, _ authorization: String?, _ signature: String?
    ) async -> LiveKitReport? {
        if authorization != nil {
            return await LiveKitReport(
                body, authorization: authorization, key: access.key, secret: access.secret, tokens: tokens,
                now: clock.now)
        }
        guard let signature, signature.utf8.starts(with: "sha256=".utf8) else { return nil }
        let digits = Array(signature.utf8.dropFirst(7))
        guard digits.count == 64 else { return nil }
        var code: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16) else {
                return nil
            }
            code.append(byte)
        }
        let key = SymmetricKey(data: Array(access.secret.utf8))
        guard HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: body, using: key),
            let report = LiveKitReport(body), report.happenedTS != nil
        else { return nil }
        return report
    }

    private func take(
        _ report: LiveKitReport, _ meeting: Meeting, _ conference: Conference, _ access: Conference.ReportAccess
    ) async throws {
        switch report.kind {
        case "participant_joined", "participant_left", "participant_connection_aborted":
            guard meeting.isUnderWay, let identity = report.identity else { return }
            // A person, and not a program that records.
            let kind = report.json["participant"]?["kind"]?.string
            guard kind == nil || kind == "STANDARD" || kind == "SIP" else { return }
            let name = report.json["participant"]?["name"]?.string ?? ""
            let comes = report.kind == "participant_joined"
            let now = clock.now
            try await store.write { writer in
                try Self.hear(report.id, meeting.service, now, in: writer)
                if comes {
                    try writer.meetings.add(
                        MeetingParticipant(
                            identity: identity,
                            name: String(String.UnicodeScalarView(name.unicodeScalars.prefix(Self.longestName))),
                            joinedTS: report.happenedTS ?? now),
                        to: meeting.room, at: meeting.service)
                } else {
                    try writer.meetings.remove(identity, from: meeting.room, at: meeting.service)
                }
            }
            await refresh(meeting)
        case "room_finished":
            // A call that has begun since is another.
            guard meeting.isUnderWay, report.happenedTS ?? .max >= (meeting.startedTS ?? 0) - 1_000 else { return }
            try await end(meeting, "call_ended", as: nil, hearing: report.id)
        case "egress_ended", "recording_ready", "transcript_ready":
            guard let recording = recording(report, access) else { return }
            try await note(recording, report.id, meeting)
        default: return
        }
    }

    /// Where a recording is, if the report tells of one.
    private func recording(_ report: LiveKitReport, _ access: Conference.ReportAccess) -> JSONValue? {
        let json = report.json
        if report.kind != "egress_ended" {
            guard let link = json["link"]?.string ?? json["url"]?.string, link.utf8.count <= Self.maximumLinkBytes,
                let address = WebAddress(link), (try? rules.checkLink(link)) != nil
            else { return nil }
            return [
                "kind": report.kind == "transcript_ready" ? "transcript" : "recording",
                "url": .string(address.description),
            ]
        }
        let egress = json["egressInfo"] ?? json["egress_info"]
        let status = egress?["status"]?.string
        guard status == "EGRESS_COMPLETE" || status == "EGRESS_LIMIT_REACHED" else { return nil }
        let results = egress?["fileResults"] ?? egress?["file_results"]
        let file = results?.elements.first { _ in true }?["filename"]?.string ?? egress?["file"]?["filename"]?.string
        // Visio names the file after the recording.
        guard let stem = file?.split(separator: "/").last?.split(separator: ".").first,
            (1...64).contains(stem.utf8.count),
            stem.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || $0 == UInt8(ascii: "-")
            })
        else { return nil }
        return ["kind": "recording", "url": .string("\(access.recordingsURL)/\(stem)")]
    }

    /// Notes a recording, and tells the room: by its call's state and, where this server can write, by a message.
    private func note(_ recording: JSONValue, _ report: String, _ meeting: Meeting) async throws {
        let now = clock.now
        let list = try await store.write { writer -> [JSONValue]? in
            try Self.hear(report, meeting.service, now, in: writer)
            let meeting = try writer.read.meetings.meeting(of: meeting.room, at: meeting.service) ?? meeting
            var list = ((try? JSON(parsing: meeting.recordings ?? "[]"))?.elements.map(\.value)) ?? []
            guard !list.contains(recording), list.count < Self.maximumRecordings else { return nil }
            list.append(recording)
            try writer.meetings.setRecordings(
                String(decoding: JSONValue.array(list).serialized(), as: UTF8.self), of: meeting.room,
                at: meeting.service)
            return list
        }
        guard list != nil else { return }
        await refresh(meeting, telling: recording)
    }

    /// Says anew how the call stands, if that is something else than what the room knows.
    ///
    /// - Parameter recording: One that the room has not been told of.
    func refresh(_ meeting: Meeting, telling recording: JSONValue? = nil) async {
        do {
            guard let call = try await description(of: meeting), let speaker = try await speaker(for: meeting) else {
                return
            }
            let isEncrypted = try await rooms.view(meeting.room).event(StateKey(.encryption)) != nil
            let message = recording.map { recording in
                EventDraft(sender: speaker, type: .message, content: call.recordingMessage(recording).json)
            }
            _ = try await rooms.announce(
                in: meeting.room,
                { [self] in
                    // In the room's turn: of two reports at once the second must not tell what was before the first.
                    let content = try await standing(of: meeting, isEncrypted: isEncrypted)
                    return EventDraft(sender: speaker, state: .call, key: meeting.callID, content: content)
                }, then: { _ in isEncrypted ? [] : message.map { [$0] } ?? [] }, alongside: { _, _ in })
        } catch is NothingToTell {
            return
        } catch {
            logger.warning("a call's state could not be told", metadata: ["error": "\(error)"])
        }
    }

    /// Nothing is known of the call, or the room has it otherwise: somebody has ended it, or begun another.
    private struct NothingToTell: Error {}

    /// What the call's state is to say now.
    private func standing(of meeting: Meeting, isEncrypted: Bool) async throws -> JSONValue {
        guard let meeting = try await store.read({ try $0.meetings.meeting(of: meeting.room, at: meeting.service) }),
            var call = try await description(of: meeting),
            let state = try await rooms.view(meeting.room).event(StateKey(.call, meeting.callID)),
            meeting.isUnderWay != CallEvents.isOver(state.event.content)
        else { throw NothingToTell() }
        guard meeting.isUnderWay else { return call.state }
        let people = try await store.read { try $0.meetings.participants(of: meeting.room, at: meeting.service) }
        if !people.isEmpty || state.event.content[CallEvents.conference]?["participants"] != nil {
            // Who is there is nobody's affair but the members'; in an encrypted room state is no secret.
            let names = isEncrypted ? nil : people.prefix(Self.maximumNames).map(\.name)
            call.participants = (people.count, names)
        }
        return call.state
    }
}
