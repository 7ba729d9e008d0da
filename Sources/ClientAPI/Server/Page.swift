import Web

/// A page for people who use this server with a browser.
enum Page {
    /// - Parameters:
    ///   - status: The status.
    ///   - title: The title, a text.
    ///   - body: What stands below the title, HTML.
    ///   - allowsScript: Whether the page holds a script of ours. Never with anything of a stranger's on it.
    static func response(
        _ status: Int = 200, title: String, body: String, allowsScript: Bool = false
    ) -> HTTPResponse {
        let page = """
            <!DOCTYPE html>
            <html lang="en">
            <head><meta charset="utf-8"><title>\(escaped(title))</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <style>body{font:1rem/1.6 sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{background:#eee;padding:.1em .3em}</style>
            </head>
            <body>
            <h1>\(escaped(title))</h1>
            \(body)
            </body>
            </html>

            """
        let script = allowsScript ? " script-src 'unsafe-inline';" : ""
        return HTTPResponse(
            status: status,
            headers: [
                "content-type": "text/html; charset=utf-8",
                "content-security-policy":
                    "default-src 'none'; style-src 'unsafe-inline';\(script) frame-ancestors 'none'; base-uri 'none'",
                // Addresses of these pages can hold tokens.
                "referrer-policy": "no-referrer",
                "cache-control": "no-store",
            ],
            body: .bytes(Array(page.utf8))
        )
    }

    /// A page that leads elsewhere.
    static func redirect(to url: String) -> HTTPResponse {
        HTTPResponse(
            status: 302, headers: ["location": url, "referrer-policy": "no-referrer", "cache-control": "no-store"])
    }

    /// A text as it stands in HTML, also in attributes.
    static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
