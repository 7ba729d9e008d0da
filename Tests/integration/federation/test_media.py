"""Files of users of another server."""

import os

from harness.clients import V1, path
from harness.pictures import png

MEDIA = "/_matrix/media/v3"


def upload(client, data: bytes, kind: str, name: str | None = None) -> tuple[str, str]:
    params = {"filename": name} if name else None
    answer = client.request("POST", path("upload", base=MEDIA), content=data, params=params, headers={"Content-Type": kind})
    return tuple(answer.json()["content_uri"].removeprefix("mxc://").split("/"))


def download(client, media, **options):
    return client.request("GET", path("media", "download", *media, base=V1), **options)


def test_download(alice, bob, pair):
    data = os.urandom(1_000_000)
    media = upload(alice, data, "application/pdf", "dépêche.pdf")
    assert media[0] == pair.here.server_name
    answer = download(bob, media)
    assert answer.content == data
    assert answer.headers["content-type"] == "application/pdf"
    assert "d%C3%A9p%C3%AAche.pdf" in answer.headers["content-disposition"]
    # Once fetched, it is there: also when the other server is not.
    pair.here.gate.close()
    assert download(bob, media).content == data
    pair.here.gate.open()
    bob.refused("M_NOT_FOUND", 404, "GET", "media", "download", pair.here.server_name, "nosuchmedia", base=V1)


def test_thumbnail(alice, bob):
    media = upload(alice, png(640, 480), "image/png")
    where = path("media", "thumbnail", *media, base=V1)
    answer = bob.request("GET", where, params={"width": 96, "height": 96, "method": "crop"})
    assert answer.headers["content-type"] in ("image/png", "image/jpeg", "image/webp")
    assert 0 < len(answer.content) < 640 * 480
    assert answer.content[:8] == b"\x89PNG\r\n\x1a\n" or answer.content[:3] == b"\xff\xd8\xff" or answer.content[:4] == b"RIFF"


def test_what_cannot_be_reached(bob, pair):
    # A server that is not there: an answer, and soon.
    answer = bob.request("GET", path("media", "download", "127.0.0.1:1", "abc", base=V1), expect=(404, 502, 504), timeout=30)
    assert answer.json()["errcode"]
