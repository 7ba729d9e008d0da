import Matrix
import Store
import Testing

@Suite struct RetentionPolicyTests {
    @Test func whatRoomsSay() throws {
        func wish(_ text: String) throws -> RoomRetention? { RoomRetention(try JSON(parsing: text)) }
        #expect(try wish("{}") == nil)
        #expect(try wish(#"{"max_lifetime": null}"#) == nil)
        #expect(try wish(#"{"max_lifetime": 5}"#) == RoomRetention(minimum: nil, maximum: 5))
        #expect(try wish(#"{"min_lifetime": 5, "max_lifetime": 5}"#) == RoomRetention(minimum: 5, maximum: 5))
        for text in [
            #"{"max_lifetime": -1}"#, #"{"max_lifetime": "5"}"#, #"{"min_lifetime": 6, "max_lifetime": 5}"#,
            #"{"min_lifetime": true, "max_lifetime": 5}"#,
        ] { #expect(try wish(text) == nil, "\(text)") }
    }

    @Test func whatTheServerMakesOfIt() {
        let open = RetentionPolicy(standard: nil)
        #expect(open.lifetime(nil) == nil)
        #expect(open.lifetime(RoomRetention(minimum: nil, maximum: 7)) == 7)
        #expect(open.lifetime(RoomRetention(minimum: 7, maximum: nil)) == nil)
        let standard = RetentionPolicy(standard: 100, shortest: 50, longest: 200)
        #expect(standard.lifetime(nil) == 100)
        #expect(standard.lifetime(RoomRetention(minimum: nil, maximum: 7)) == 50)
        #expect(standard.lifetime(RoomRetention(minimum: nil, maximum: 1_000)) == 200)
        #expect(standard.lifetime(RoomRetention(minimum: 150, maximum: nil)) == 150)
        #expect(standard.lifetime(RoomRetention(minimum: 1_000, maximum: nil)) == 200)
        #expect(RetentionPolicy(standard: nil, longest: 200).lifetime(nil) == 200)
    }
}
