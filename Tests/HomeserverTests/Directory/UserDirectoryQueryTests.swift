import Matrix
import Testing

@testable import Homeserver
@testable import Store

/// Who fits what is searched for, and how well.
@Suite struct UserDirectoryQueryTests {
    private func rank(_ term: String, _ id: String, _ name: String? = nil, avatar: String? = nil) throws -> Int? {
        let user = DirectoryUser(
            number: UserNumber(1), userID: try #require(UserID(id)), displayName: name, avatarURL: avatar)
        return UserDirectoryQuery(term).rank(user)
    }

    @Test func everyWordMustBegin() throws {
        #expect(try rank("al", "@alice:a.example") != nil)
        #expect(try rank("lice", "@alice:a.example") == nil)
        #expect(try rank("wonder al", "@alice:a.example", "In Wonderland") != nil)
        #expect(try rank("wonder bob", "@alice:a.example", "In Wonderland") == nil)
        #expect(try rank("example", "@alice:a.example") == nil)
    }

    @Test func identifiersAreFoundByTheirBeginning() throws {
        #expect(try rank("@ali", "@alice:a.example") != nil)
        #expect(try rank("@alice:a.ex", "@alice:a.example") != nil)
        #expect(try rank("@alice:b", "@alice:a.example") == nil)
    }

    @Test func whoFitsBetterRanksHigher() throws {
        func order(_ better: Int?, _ worse: Int?) -> Bool {
            better.map { left in worse.map { left > $0 } ?? true } ?? false
        }
        #expect(order(try rank("anna", "@anna:a.example"), try rank("anna", "@annabel:a.example", "Anna-Lena")))
        #expect(order(try rank("anna", "@x:a.example", "Anna Z"), try rank("anna", "@x:a.example", "Annabel")))
        #expect(order(try rank("an", "@x:a.example", "Anna"), try rank("an", "@anna:a.example")))
        #expect(order(try rank("x", "@x:a.example", "A", avatar: "mxc://a/b"), try rank("x", "@x:a.example", "A")))
    }
}
