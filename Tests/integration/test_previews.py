"""Previews of web pages: what they tell, what they cost, and where they do not lead."""

import itertools

import pytest
from harness import web
from harness.clients import V1, path, register
from harness.pictures import png
from harness.servers import free_port

pytestmark = pytest.mark.only_chappe(reason="Synapse's are off, and its settings are others")

OPEN = {"media": {"url_previews": True, "preview": {"timeout_seconds": 4}}, "outbound": {"allow_private_addresses": True}}

_paths = itertools.count(1)


@pytest.fixture(scope="module")
def pages():
    with web.running() as pages:
        yield pages


@pytest.fixture(scope="module")
def server(make_server, engine):
    server = make_server(engine, settings=OPEN).start()
    yield server
    assert server.process.poll() is None
    server.finish()


@pytest.fixture
def new():
    """A path that no other test uses."""
    return lambda end="": f"/{next(_paths)}{end}"


def preview(client, url: str, **options):
    params = {"url": url, **options.pop("params", {})}
    return client.request("GET", path("media", "preview_url", base=V1), params=params, **options).json()


def download(client, uri: str) -> bytes:
    return client.request("GET", path("media", "download", *uri.removeprefix("mxc://").split("/"), base=V1)).content


# What they tell


def test_a_page_that_says_what_it_is(alice, bob, pages, new):
    picture = png(320, 200)
    image = pages.put(new(".png"), picture, "image/png")
    url = pages.put(new("?a=b&c=%20d"), f"""<!DOCTYPE html><html><head>
        <meta property="og:title" content="L&rsquo;&eacute;t&#233; &amp; l&#x2019;hiver"><META PROPERTY=og:site_name CONTENT='Météo'>
        <meta property="og:image" content="{image}"/><meta property="og:image:width" content="1">
        <meta property="og:title" content="another"><title>no</title></head><body>""")
    told = preview(alice, url + "#fragment")
    uri = told.pop("og:image")
    assert told == {
        "og:title": "L’été & l’hiver", "og:site_name": "Météo", "og:image:type": "image/png", "og:image:width": 320,
        "og:image:height": 200, "matrix:image:size": len(picture),
    }
    assert uri.startswith(f"mxc://{alice.server.server_name}/") and download(bob, uri) == picture
    where = url.removeprefix(pages.url)
    headers, = [headers for asked, headers in pages.asked if asked == where]
    assert headers["User-Agent"].startswith("Chappe/")
    # The deprecated path is the same.
    old = bob.request("GET", "/_matrix/media/v3/preview_url", params={"url": url}).json()
    assert old["og:title"] == "L’été & l’hiver"


def test_a_page_that_only_looks_like_something(alice, pages, new):
    folder = new()
    pages.put(folder + "/pictures/large.png", png(100, 90), "image/png")
    url = pages.put(folder + "/page", """<base href='pictures/'><title>
        A  title </title><script>document.write("<title>wrong</title><meta property='og:title' content='wrong'>")</script>
        <!-- <meta property="og:title" content="wrong"> --><meta name="Description" content="What it is about">
        <body><img src="icon.png" width=16 height=16><img src="large.png"><p>Text""")
    told = preview(alice, url)
    assert (told["og:title"], told["og:description"], told["og:image:height"]) == ("A title", "What it is about", 90)
    url = pages.put(new(), '<meta name="twitter:title" content="Card"><nav><p>Menu</p></nav><h1>Heading</h1><p>Some <b>text</b>.</p>')
    assert preview(alice, url) == {"og:title": "Card", "og:description": "Some text ."}
    url = pages.put(new(), "<h1>Heading</h1><p>Text that tells a little.</p><p>And more.</p>")
    assert preview(alice, url) == {"og:title": "Heading", "og:description": "Text that tells a little. And more."}
    assert preview(alice, pages.put(new(), "")) == {}
    assert preview(alice, pages.put(new(), b"\x7fELF", "application/octet-stream")) == {}


@pytest.mark.parametrize(
    ("kind", "before", "encoding"),
    [
        ("text/html; charset=ISO-8859-1", "", "windows-1252"), ("text/html;Charset=\"utf-8\"", "", "utf-8"),
        ("text/html", '<meta charset="windows-1251">', "windows-1251"), ("text/html", "", "windows-1252"), ("text/html", "", "utf-8"),
        ("text/html", '<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">', "shift_jis"),
        ("text/html", "\ufeff", "utf-16-le"), ("application/xhtml+xml", '<?xml version="1.0" encoding="ISO-8859-15"?>', "iso-8859-15"),
        ("text/html; charset=gb2312", "", "gb18030"), ("text/html; charset=nonsense", '<meta charset=koi8-r>', "koi8-r"),
    ],
)
def test_characters(alice, pages, new, kind, before, encoding):
    words = {"windows-1251": "Привет", "koi8-r": "Привет", "shift_jis": "日本語", "gb18030": "中文"}.get(encoding, "Œuvre à 5 €")
    words = "à côté" if encoding == "iso-8859-15" else words
    url = pages.put(new(), f"{before}<title>{words}</title>".encode(encoding), kind)
    assert preview(alice, url)["og:title"] == words


def test_characters_that_are_none(alice, pages, new):
    url = pages.put(new(), b"<title>caf\xe9 \x00 \xff\xfe</title>", "text/html; charset=utf-8")
    assert preview(alice, url)["og:title"] == "caf\ufffd \ufffd\ufffd"
    # Cut off in the middle of a character.
    url = pages.put(new(), b"<title>\xc3\xa9</title>\x81", "text/html; charset=shift_jis")
    assert "og:title" in preview(alice, url)


def test_a_picture_itself(alice, pages, new):
    url = pages.put(new("/a%20b.png"), png(70, 65), "image/png")
    told = preview(alice, url)
    assert told["og:image:width"] == 70 and download(alice, told["og:image"]) == png(70, 65)


def test_what_calls_itself_a_picture(alice, pages, new):
    for body, kind in [(b"<script>alert(1)</script>", "image/png"), (png(70, 70), "image/jpeg"), (b"<svg/>", "image/svg+xml"), (b"", "image/gif")]:
        image = pages.put(new(), body, kind)
        assert preview(alice, pages.put(new(), f"<title>T</title><meta property=og:image content={image}>")) == {"og:title": "T"}
        assert preview(alice, image) == {}


def test_a_description_in_json(alice, pages, new):
    image = pages.put(new(".png"), png(80, 80), "image/png")
    described = pages.put(new(), '{"type": "video", "title": "A film", "provider_name": "Cinema", "thumbnail_url": "%s"}' % image, "application/json")
    url = pages.put(new(), f'<link rel="alternate" type="application/json+oembed" href="{described}">')
    told = preview(alice, url)
    assert (told["og:title"], told["og:site_name"], told["og:image:width"]) == ("A film", "Cinema", 80)


# What they cost


def test_a_page_is_asked_once(own_server, pages, new, fresh_name):
    own_server.stop()
    own_server.settings = OPEN
    own_server.prepare()
    own_server.start()
    alice = register(own_server, fresh_name())
    image, where = new(".png"), new()
    pages.put(image, png(90, 90), "image/png")
    url = pages.put(where, f"<title>First</title><img src={image}>")
    first = preview(alice, url)
    pages.put(where, "<title>Second</title>")
    assert preview(alice, url) == first
    own_server.restart()
    assert preview(alice, url) == first and pages.times(where) == 1
    # Who asks what it was like before there was a preview gets the first there is.
    assert preview(alice, url, params={"ts": 1000}) == first
    # Its picture is that of other pages too.
    other = preview(alice, pages.put(new(), f"<title>Other</title><img src={image}>"))
    assert other["og:image"] == first["og:image"] and pages.times(image) == 1


def test_a_page_that_does_not_end(alice, pages, new):
    before = pages.sent
    url = pages.put(new(), writes=web.endless(b"<title>Long</title>" + b"x" * 65_000))
    assert preview(alice, url)["og:title"] == "Long"
    assert pages.sent - before < 20 << 20
    image = pages.put(new(), kind="image/png", writes=web.endless(png(50, 50) + b"x" * 65_000))
    url = pages.put(new(), f"<title>T</title><meta property=og:image content={image}>")
    assert preview(alice, url) == {"og:title": "T"}
    assert pages.sent - before < 60 << 20


def test_a_page_that_is_slow(alice, pages, new):
    url = pages.put(new(), writes=web.endless(b"x", pause=0.2, most=100))
    assert preview(alice, url, expect=502)["errcode"] == "M_UNKNOWN"
    # A slow picture does not hold up its page for longer.
    image = pages.put(new(), kind="image/png", writes=web.endless(b"x", pause=0.2, most=100))
    assert preview(alice, pages.put(new(), f"<title>T</title><img src={image}>")) == {"og:title": "T"}


def test_redirects(alice, pages, new):
    folder = new()
    pages.put(folder + "/d/last", "<title>Here</title><img src=p.png>")
    pages.put(folder + "/d/p.png", png(64, 64), "image/png")
    pages.redirect(folder + "/b", "x/.././d/last", 301)
    first = pages.redirect(folder + "/a", pages.url.removeprefix("http:") + folder + "/b")
    told = preview(alice, first)
    assert told["og:title"] == "Here" and told["og:image:width"] == 64
    loop = new()
    before = len(pages.asked)
    assert preview(alice, pages.redirect(loop, loop), expect=502)["errcode"] == "M_UNKNOWN"
    assert len(pages.asked) - before == 6
    for nowhere in ("file:///etc/passwd", "gopher://127.0.0.1/", "", "http://user@127.0.0.1/", "http://127.0.0.1:25/"):
        assert preview(alice, pages.redirect(new(), nowhere), expect=502)["errcode"] == "M_UNKNOWN"


def test_pages_that_are_not_there(alice, pages, new):
    assert preview(alice, pages.url + new(), expect=502)["errcode"] == "M_UNKNOWN"
    assert preview(alice, f"http://127.0.0.1:{free_port()}/", expect=502)["errcode"] == "M_UNKNOWN"
    assert preview(alice, "http://nothing.invalid/", expect=502)["errcode"] == "M_UNKNOWN"


def test_what_is_no_address(alice):
    for url in ("", "nothing", "file:///etc/passwd", "http://", "http://127.1/", "http://0x7f.1/", "https://user:password@a.example/",
                "http://a.example:22/", "mxc://a/b", "http://a.example/" + "x" * 2048, "http://[::1", "http://a b.example/"):
        assert preview(alice, url, expect=400)["errcode"] == "M_INVALID_PARAM", url
    alice.refused("M_MISSING_PARAM", 400, "GET", "media", "preview_url", base=V1)
    alice.refused("M_MISSING_TOKEN", 401, "GET", "media", "preview_url", base=V1, params={"url": "http://a.example/"}, token=None)


# Where they do not lead


def test_private_addresses(another_server, pages, new, fresh_name):
    alice = register(another_server({"media": {"url_previews": True}}), fresh_name())
    before = len(pages.asked)
    port = pages.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254", "0.0.0.0", "[fd00::1]"):
        assert preview(alice, f"http://{host}:{port}/", expect=403)["errcode"] == "M_FORBIDDEN", host
    assert len(pages.asked) == before


def test_a_redirect_to_a_private_address(another_server, pages, new, fresh_name):
    # The proxy is the internet: what it answers comes from outside, what it leads to does not.
    with web.running() as internet:
        alice = register(another_server({"media": {"url_previews": True}, "outbound": {"proxy": internet.url}}), fresh_name())
        internet.put("http://public.example/", "<title>Outside</title>")
        assert preview(alice, "http://PUBLIC.example./")["og:title"] == "Outside"
        before = len(pages.asked)
        secret = pages.put(new(), "<title>Inside</title>")
        image = pages.put(new(".png"), png(64, 64), "image/png")
        internet.redirect("http://public.example/in", secret)
        assert preview(alice, "http://public.example/in", expect=403)["errcode"] == "M_FORBIDDEN"
        internet.put("http://public.example/image", f"<title>Outside</title><meta property=og:image content={image}>")
        assert preview(alice, "http://public.example/image") == {"og:title": "Outside"}
        internet.redirect("http://public.example/image.png", image)
        internet.put("http://public.example/two", "<title>Outside</title><img src=image.png>")
        assert preview(alice, "http://public.example/two") == {"og:title": "Outside"}
        assert len(pages.asked) == before


def test_lists_of_addresses(another_server, pages, new, fresh_name):
    folder = new()
    good = pages.put(folder + "/good/page", "<title>Good</title>")
    bad = pages.put(folder + "/good/bad/page", "<title>Bad</title>")
    other = pages.put(folder + "/other", "<title>Other</title>")
    lists = {"allow": [f"http://127.0.0.1:*{folder}/good/"], "deny": [f"{pages.url}*/bad/", "*.evil.example", "evil.example"]}
    settings = {**OPEN, "media": {"url_previews": True, "preview": lists}}
    alice = register(another_server(settings), fresh_name())
    assert preview(alice, good)["og:title"] == "Good"
    for url in (bad, other, good.replace("/good/", "/good/x/../bad/"), "http://www.EVIL.example/", "http://evil.example/"):
        assert preview(alice, url, expect=403)["errcode"] == "M_FORBIDDEN", url
    assert preview(alice, pages.redirect(folder + "/good/redirect", other), expect=403)["errcode"] == "M_FORBIDDEN"
    assert pages.times(folder + "/other") == 0


def test_the_rate_is_limited(another_server, pages, new, fresh_name):
    limits = {"enabled": True, "preview": {"per_second": 0.01, "burst": 2}}
    alice = register(another_server({**OPEN, "rate_limits": limits}), fresh_name())
    url = pages.put(new(), "<title>T</title>")
    assert [preview(alice, url, expect=(200, 429)).get("errcode") for _ in range(3)] == [None, None, "M_LIMIT_EXCEEDED"]


def test_there_are_none_unless_asked_for(another_server, pages, fresh_name):
    alice = register(another_server({"outbound": {"allow_private_addresses": True}}), fresh_name())
    assert preview(alice, pages.url, expect=404)["errcode"] == "M_UNRECOGNIZED"
