"""Media: upload, authenticated download, thumbnails."""

import os
import struct

from harness.clients import V1, path
from harness.pictures import png

MEDIA = "/_matrix/media/v3"


def upload(client, data: bytes, kind="application/octet-stream", name=None) -> tuple[str, str]:
    """Uploads and returns the server name and media ID of the mxc URI."""
    params = {"filename": name} if name else None
    answer = client.request(
        "POST", path("upload", base=MEDIA), content=data, params=params, headers={"Content-Type": kind}
    ).json()
    assert answer["content_uri"].startswith("mxc://")
    return tuple(answer["content_uri"].removeprefix("mxc://").split("/"))


def download(client, media, *more, **options):
    return client.request("GET", path("media", "download", *media, *more, base=V1), **options)


def test_bytes_come_back_as_they_were(alice, bob):
    data = os.urandom(300_000)
    media = upload(alice, data, name="rapport é.bin")
    assert media[0] == alice.server.server_name
    answer = download(bob, media)
    assert answer.content == data
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "attachment" in answer.headers["content-disposition"]
    assert "sandbox" in answer.headers["content-security-policy"]
    named = download(bob, media, "other name.txt")
    assert named.content == data and "other%20name.txt" in named.headers["content-disposition"].replace("other name.txt", "other%20name.txt")


def test_downloads_need_a_session(alice):
    media = upload(alice, b"secret")
    alice.refused("M_MISSING_TOKEN", 401, "GET", "media", "download", *media, base=V1, token=None)
    alice.refused("M_NOT_FOUND", 404, "GET", "media", "download", media[0], "nosuchmedia", base=V1)


def test_an_upload_needs_a_session_and_fits_the_limit(alice):
    limit = alice.get("media", "config", base=V1)["m.upload.size"]
    assert limit >= 1_000_000
    answer = alice.request("POST", path("upload", base=MEDIA), content=b"x", token=None, expect=401)
    assert answer.json()["errcode"] == "M_MISSING_TOKEN"
    declared = {"Content-Type": "application/octet-stream", "Content-Length": str(limit + 1)}
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", alice.server.port, timeout=30)
    connection.putrequest("POST", path("upload", base=MEDIA))
    for name, value in {**declared, "Authorization": f"Bearer {alice.token}"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        # The server need not wait for what it will not take; it may also read some of it.
        connection.send(b"x" * 100_000)
    except (BrokenPipeError, ConnectionResetError):
        pass
    if alice.server.kind == "chappe":
        response = connection.getresponse()
        assert response.status == 413
    connection.close()


def test_an_image_has_thumbnails(alice, bob):
    media = upload(alice, png(640, 480), "image/png")
    answer = bob.request(
        "GET", path("media", "thumbnail", *media, base=V1), params={"width": 320, "height": 240, "method": "scale"}
    )
    assert answer.headers["content-type"] in ("image/png", "image/jpeg", "image/webp")
    assert len(answer.content) > 100
    if answer.headers["content-type"] == "image/png":
        width, height = struct.unpack(">II", answer.content[16:24])
        assert width <= 640 and height <= 480


def test_clients_of_long_ago(alice, bob):
    """Who sends no token gets files still, unless that has been turned off; nothing of it reaches beyond this server."""
    picture = png(64, 64)
    media = upload(alice, picture, "image/png", "Straße.png")
    assert alice.request("GET", path("config", base=MEDIA)).json()["m.upload.size"] > len(picture)
    old = bob.request("GET", path("download", *media, base=MEDIA), token=None)
    assert old.content == picture and old.headers["content-type"] == "image/png"
    named = bob.request("GET", path("download", *media, "other.png", base=MEDIA), token=None)
    assert named.content == picture and "other.png" in named.headers["content-disposition"]
    small = bob.request("GET", path("thumbnail", *media, base=MEDIA), token=None, params={"width": 32, "height": 32, "method": "crop"})
    assert small.headers["content-type"].startswith("image/")
    bob.request("GET", path("download", "elsewhere.invalid", "x", base=MEDIA), token=None, params={"allow_remote": "false"}, expect=404)


def test_create_then_upload(alice, bob):
    created = alice.request("POST", path("create", base="/_matrix/media/v1")).json()
    media = tuple(created["content_uri"].removeprefix("mxc://").split("/"))
    alice.refused("M_NOT_YET_UPLOADED", 504, "GET", "media", "download", *media, base=V1, params={"timeout_ms": 100})
    refused = bob.request("PUT", path("upload", *media, base=MEDIA), content=b"bob's", expect=403)
    assert refused.json()["errcode"] == "M_FORBIDDEN"
    alice.request("PUT", path("upload", *media, base=MEDIA), content=b"late", headers={"Content-Type": "text/plain"})
    assert download(bob, media).content == b"late"
    again = alice.request("PUT", path("upload", *media, base=MEDIA), content=b"twice", expect=409)
    assert again.json()["errcode"] == "M_CANNOT_OVERWRITE_MEDIA"


def test_media_survive_a_restart(own_server, fresh_name):
    from harness.clients import register

    alice = register(own_server, fresh_name())
    data = os.urandom(100_000)
    media = upload(alice, data, "image/png")
    own_server.restart()
    assert download(alice, media).content == data
