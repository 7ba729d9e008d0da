/// Turns the one text of a statement into what an engine understands. Runs once for each prepared statement.
struct SQLDialect {
    let engine: DatabaseEngine

    /// Rewrites parameters, lists and the few functions whose names differ. See ``SQL`` for what may be written.
    func rewrite(_ text: String) -> String {
        let tokens = SQLTokenizer.tokens(of: text)
        var output = ""
        output.reserveCapacity(text.utf8.count + 64)
        var index = 0
        while index < tokens.count {
            if let (replacement, next) = replacement(at: index, in: tokens) {
                output += replacement
                index = next
            } else {
                output += tokens[index].text
                index += 1
            }
        }
        return output
    }

    private func replacement(at index: Int, in tokens: [SQLToken]) -> (String, Int)? {
        let token = tokens[index]
        switch token.kind {
        case .parameter(let number):
            // SQLite numbers `$n` by first appearance, `?n` by its number.
            return engine == .sqlite ? ("?\(number)", index + 1) : nil
        case .word:
            return membership(at: index, in: tokens) ?? list(at: index, in: tokens)
                ?? (engine == .sqlite ? sqliteName(at: index, in: tokens) : nil)
        default:
            return nil
        }
    }

    /// `[NOT] IN list($n)` on PostgreSQL, where comparing with an array uses an index and a subquery may not.
    private func membership(at index: Int, in tokens: [SQLToken]) -> (String, Int)? {
        guard engine == .postgres else { return nil }
        var position = index
        let negated = tokens[position].isWord("NOT")
        if negated { position = skipBlanks(from: position + 1, in: tokens) }
        guard position < tokens.count, tokens[position].isWord("IN") else { return nil }
        position = skipBlanks(from: position + 1, in: tokens)
        guard let (list, next) = listCall(at: position, in: tokens) else { return nil }
        return ("\(negated ? "<> ALL" : "= ANY")($\(list.parameter)::\(list.postgresType))", next)
    }

    /// `list($n)` anywhere else: a table of one column, `value`.
    private func list(at index: Int, in tokens: [SQLToken]) -> (String, Int)? {
        guard let (list, next) = listCall(at: index, in: tokens) else { return nil }
        switch engine {
        case .sqlite: return ("(SELECT value FROM json_each(?\(list.parameter)))", next)
        case .postgres: return ("(SELECT unnest($\(list.parameter)::\(list.postgresType)) AS value)", next)
        }
    }

    private struct ListCall {
        let parameter: Int
        let postgresType: String
    }

    private func listCall(at index: Int, in tokens: [SQLToken]) -> (ListCall, Int)? {
        guard index < tokens.count else { return nil }
        let postgresType: String
        if tokens[index].isWord("LIST") {
            postgresType = "bigint[]"
        } else if tokens[index].isWord("TEXTLIST") {
            postgresType = "text[]"
        } else {
            return nil
        }
        let open = skipBlanks(from: index + 1, in: tokens)
        guard open < tokens.count, tokens[open].isSymbol("(") else { return nil }
        let argument = skipBlanks(from: open + 1, in: tokens)
        guard argument < tokens.count, case .parameter(let number) = tokens[argument].kind else { return nil }
        let close = skipBlanks(from: argument + 1, in: tokens)
        guard close < tokens.count, tokens[close].isSymbol(")") else { return nil }
        return (ListCall(parameter: number, postgresType: postgresType), close + 1)
    }

    /// What PostgreSQL has and SQLite calls otherwise or does not need.
    private func sqliteName(at index: Int, in tokens: [SQLToken]) -> (String, Int)? {
        let next = skipBlanks(from: index + 1, in: tokens)
        guard next < tokens.count else { return nil }
        if tokens[next].isSymbol("(") {
            if tokens[index].isWord("GREATEST") { return ("max", index + 1) }
            if tokens[index].isWord("LEAST") { return ("min", index + 1) }
            return nil
        }
        // SQLite has one writer: a row that it reads is already its own.
        guard tokens[index].isWord("FOR"), tokens[next].isWord("UPDATE") else { return nil }
        let skip = skipBlanks(from: next + 1, in: tokens)
        guard skip < tokens.count, tokens[skip].isWord("SKIP") else { return ("", next + 1) }
        let locked = skipBlanks(from: skip + 1, in: tokens)
        return ("", locked < tokens.count && tokens[locked].isWord("LOCKED") ? locked + 1 : next + 1)
    }

    private func skipBlanks(from index: Int, in tokens: [SQLToken]) -> Int {
        var index = index
        while index < tokens.count, tokens[index].isBlank { index += 1 }
        return index
    }
}
