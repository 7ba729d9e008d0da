import Matrix
import RoomEngine
import Store
import Testing

@testable import Homeserver

/// What push gateways are told, and how their answers and addresses are read.
@Suite struct PushNotificationTests {
    private func pusher(_ data: String) throws -> PusherRecord {
        PusherRecord(
            user: UserNumber(1), device: try #require(DeviceID("D")), kind: "http", appID: "app", pushKey: "key",
            appDisplayName: "A",
            deviceDisplayName: "D", profileTag: nil, language: "fr", data: Array(data.utf8),
            createdTimestamp: 1_700_000_000_999)
    }

    private func body(_ data: String, _ subject: PushNotification.Subject?, unread: Int) throws -> JSONValue {
        let pusher = try pusher(data)
        let text = PushNotification(pusher: pusher, subject: subject, unreadCount: unread)
            .body(PushNotification.Options(pusher.data))
        return try JSON(parsing: text).value
    }

    private let url = "https://push.example/_matrix/push/v1/notify"

    @Test func aBadgeIsToldAloneAndZeroIsSaid() throws {
        let told = try body(#"{"url": "\#(url)", "default": {"a": 1}}"#, nil, unread: 0)
        #expect(
            told == [
                "notification": [
                    "prio": "low", "counts": ["unread": 0],
                    "devices": [
                        [
                            "app_id": "app", "pushkey": "key", "pushkey_ts": 1_700_000_000,
                            "data": ["default": ["a": 1]],
                        ]
                    ],
                ]
            ])
    }

    @Test func countsAreLeftOutWhereTheyAreNotWanted() throws {
        let data = #"{"url": "\#(url)", "org.matrix.msc4076.disable_badge_count": true}"#
        #expect(try body(data, nil, unread: 3)["notification"]?["counts"] == nil)
    }

    @Test func answersAreJudged() {
        func verdict(_ status: Int, _ body: String = "{}") -> PushVerdict {
            PushVerdict(PushGatewayAnswer(status: status, body: Array(body.utf8)), pushKey: "key")
        }
        #expect(verdict(200) == .delivered)
        #expect(verdict(200, "no JSON") == .delivered)
        #expect(verdict(200, #"{"rejected": []}"#) == .delivered)
        #expect(verdict(200, #"{"rejected": ["another", 1]}"#) == .delivered)
        #expect(verdict(200, #"{"rejected": ["another", "key"]}"#) == .rejected)
        for status in [408, 429, 500, 502, 503] { #expect(verdict(status) == .failed) }
        for status in [301, 400, 401, 404, 413] { #expect(verdict(status, #"{"rejected": ["key"]}"#) == .refused) }
    }

    @Test(arguments: [
        ("https://push.example/_matrix/push/v1/notify", "push.example", 443),
        ("https://PUSH.example.:8443/_matrix/push/v1/notify?x=1#y", "push.example", 8443),
        ("https://[::1]/_matrix/push/v1/notify", "[::1]", 443),
        ("http://127.0.0.1:9/_matrix/push/v1/notify", "127.0.0.1", 9),
        ("http://localhost/_matrix/push/v1/notify", "localhost", 80),
    ])
    func gatewaysHaveAddresses(url: String, host: String, port: Int) throws {
        let address = try #require(PushGatewayAddress(url))
        #expect(address.host == host && address.port == port)
        #expect(!address.target.contains("#"))
    }

    @Test(arguments: [
        "http://push.example/_matrix/push/v1/notify", "http://10.0.0.1/_matrix/push/v1/notify",
        "https://push.example/_matrix/push/v1/notify/", "https://push.example/other", "https:///_matrix/push/v1/notify",
        "https://user@push.example/_matrix/push/v1/notify", "https://push.example:0/_matrix/push/v1/notify",
        "https://push.example:65536/_matrix/push/v1/notify", "https://a b/_matrix/push/v1/notify", "ftp://x/",
        "https://push.example\\@10.0.0.1/_matrix/push/v1/notify", "",
    ])
    func nothingElseIsAGateway(url: String) { #expect(PushGatewayAddress(url) == nil) }
}
