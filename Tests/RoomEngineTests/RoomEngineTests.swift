import Testing
@testable import RoomEngine
