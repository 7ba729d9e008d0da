"""Every operation that the specification's OpenAPI data names is served, and asks for a token exactly where it says so."""

import re

import pytest

from harness.clients import Client
from harness.schema import ServedOperation, served_operations

#: Values that are well formed and belong to nothing.
VALUES = {
    "userId": "@nobody:{server}", "roomId": "!nowhere:{server}", "roomIdOrAlias": "!nowhere:{server}",
    "roomAlias": "#nothing:{server}", "eventId": "$nothing", "eventType": "m.room.message", "type": "m.nothing",
    "stateKey": "", "serverName": "{server}", "mediaId": "nothing", "fileName": "nothing", "deviceId": "NOTHING",
    "keyId": "nothing", "sessionId": "nothing", "receiptType": "m.read", "tag": "u.nothing", "filterId": "0",
    "scope": "global", "kind": "override", "ruleId": "nothing", "version": "1", "relType": "m.reference",
    "protocol": "nothing", "networkId": "nothing", "appserviceId": "nothing", "txnId": "1", "keyName": "displayname",
    "authType": "m.login.dummy", "sessionID": "nothing", "idpId": "nothing",
}

#: What is not there by choice: its absence is an answer too.
ABSENT = {
    "getAuthMetadata": "404 M_UNRECOGNIZED says that there is no OAuth 2.0 here; sign-in is by password or single sign-on",
    "getWellknownPolicy": "this server is no policy server",
}

def operations():
    for operation in served_operations("client-server"):
        yield pytest.param(operation, id=operation.name)


@pytest.fixture(scope="module")
def server(make_server, engine):
    """A server with what is off by default."""
    settings = {"cas": {"server_url": "https://cas.example"}, "public_rooms": {"without_login": True}, "media": {"url_previews": True}}
    server = make_server(engine, settings=settings).start()
    yield server
    server.finish()


def target(operation: ServedOperation, server_name: str) -> str:
    def value(match: re.Match) -> str:
        return VALUES[match[1]].format(server=server_name).replace("#", "%23").replace("$", "%24").replace("!", "%21")

    return re.sub(r"\{([^}]*)\}", value, operation.path).strip()


@pytest.mark.only_chappe(reason="all of the specification")
@pytest.mark.parametrize("operation", operations())
def test_every_operation_is_served(server, operation):
    where = target(operation, server.server_name)
    options = {} if operation.method in ("GET", "HEAD", "DELETE") else {"json": {}}
    answer = Client(server).request(operation.method, where, token=None, expect=None, schema=False, **options)
    errcode = answer.json().get("errcode") if "json" in answer.headers.get("content-type", "") else None
    if operation.name in ABSENT:
        assert (answer.status_code, errcode) == (404, "M_UNRECOGNIZED"), ABSENT[operation.name]
        return
    assert errcode != "M_UNRECOGNIZED", f"{operation.name}: {operation.method} {where} is not served"
    if operation.needs_token:
        assert (answer.status_code, errcode) == (401, "M_MISSING_TOKEN"), answer.text
        answer = Client(server).request(operation.method, where, token="nonsense", expect=401, schema=False, **options)
        assert answer.json()["errcode"] == "M_UNKNOWN_TOKEN"
    elif operation.needs_token is False:
        assert errcode != "M_MISSING_TOKEN", answer.text
