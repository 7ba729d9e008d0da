import Web

/// A request that says nothing beside its path and who sent it.
struct NoInput: RequestDecodable {
    init(from input: RequestInput) throws {}
}
