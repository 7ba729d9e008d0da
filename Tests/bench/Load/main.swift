// The load generator of `make bench`: reads a plan, runs it, prints what came of it. See Plan.swift.
import Foundation

guard let line = readLine() else { throw LoadError.plan("no plan on standard input") }
let plan = try JSONDecoder().decode(Plan.self, from: Data(line.utf8))
let outcome = try Load(plan).run()
let encoder = JSONEncoder()
encoder.outputFormatting = .sortedKeys
print(String(decoding: try encoder.encode(outcome), as: UTF8.self))
