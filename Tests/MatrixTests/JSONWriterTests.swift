import Matrix
import Testing

@Suite struct JSONWriterTests {
    @Test(
        "Integers are written as they are",
        arguments: [0, 1, 9, 10, -1, -10, 1_234_567_890, 9_007_199_254_740_991, -9_007_199_254_740_991, .max, .min])
    func integers(_ integer: Int64) {
        var writer = JSONWriter()
        writer.beginArray()
        writer.write(integer)
        writer.write(integer)
        writer.endArray()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "[\(integer),\(integer)]")
    }
}
