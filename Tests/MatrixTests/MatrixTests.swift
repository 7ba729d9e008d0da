import Testing
@testable import Matrix
