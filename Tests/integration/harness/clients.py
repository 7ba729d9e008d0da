"""A plain HTTP client of the client-server API, whose every response is checked against the specification."""

import hashlib
import hmac
import itertools
import time
from typing import Any, Callable
from urllib.parse import quote

import httpx

from .operations import called
from .schema import check_response, specification

V3 = "/_matrix/client/v3"
V1 = "/_matrix/client/v1"

#: Sent with every form of user-interactive authentication in these tests.
PASSWORD = "correct horse battery staple"

_transactions = itertools.count(1)


def escaped(part: str) -> str:
    """One path segment, percent-encoded."""
    return quote(part, safe="")


def path(*parts: str, base: str = V3) -> str:
    """A path under the API: `path("rooms", room, "send")`."""
    return base + "".join("/" + escaped(part) for part in parts)


class UnexpectedStatus(AssertionError):
    """An answer with another status than the test expects."""


class Client:
    """One device of one user. `user`, `token` and `device` are None before logging in."""

    def __init__(self, server, user: str | None = None, token: str | None = None, device: str | None = None):
        self.server = server
        self.user = user
        self.token = token
        self.device = device
        self.http = httpx.Client(base_url=server.url, timeout=60)

    def close(self) -> None:
        self.http.close()

    # Requests

    def request(
        self,
        method: str,
        where: str,
        *,
        json: Any = None,
        params: dict | list | None = None,
        content: bytes | None = None,
        headers: dict | None = None,
        token: str | None = "",
        expect: int | tuple[int, ...] | None = 200,
        schema: bool = True,
        timeout: float | None = None,
    ) -> httpx.Response:
        """Sends a request and checks the answer's status and shape.

        `where` is a path as `path(…)` makes it. `expect` is the status to insist on (None: any below 500). `token`
        replaces the client's own; None sends none. `schema=False` is for endpoints outside the specification.
        """
        # Before anything is sent: a typing error in a test must not be answered by a 404.
        operation = specification().operation(method, where) if schema and specification().available else None
        sent = dict(headers or {})
        bearer = self.token if token == "" else token
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        options = {} if timeout is None else {"timeout": timeout}
        response = self.http.request(method, where, json=json, params=params, content=content, headers=sent, **options)
        wanted = (expect,) if isinstance(expect, int) else expect
        if (wanted is None and response.status_code >= 500) or (wanted is not None and response.status_code not in wanted):
            raise UnexpectedStatus(
                f"{method} {where} answered {response.status_code}, not {wanted or 'below 500'}: {response.text[:500]}"
            )
        if operation is not None:
            check_response(operation, response, tolerates_null=self.server.passes_on_null)
            if response.status_code < 400 and self.server.kind == "chappe":
                for name in specification().namesakes(operation):
                    called("client-server", name)
        return response

    def get(self, *parts: str, base: str = V3, **options) -> Any:
        """The decoded body of a GET on a path of these parts."""
        return self.request("GET", path(*parts, base=base), **options).json()

    def post(self, *parts: str, json: Any = None, base: str = V3, **options) -> Any:
        return self.request("POST", path(*parts, base=base), json={} if json is None else json, **options).json()

    def put(self, *parts: str, json: Any = None, base: str = V3, **options) -> Any:
        return self.request("PUT", path(*parts, base=base), json={} if json is None else json, **options).json()

    def delete(self, *parts: str, base: str = V3, **options) -> Any:
        return self.request("DELETE", path(*parts, base=base), **options).json()

    def refused(self, errcode: str | tuple[str, ...], status: int | tuple[int, ...], method: str, *parts: str, base: str = V3, **options) -> Any:
        """Insists that the request is refused, with this errcode (or one of these) and this status."""
        if method in ("POST", "PUT") and "json" not in options and "content" not in options:
            options["json"] = {}
        body = self.request(method, path(*parts, base=base), expect=status, **options).json()
        assert body["errcode"] in ((errcode,) if isinstance(errcode, str) else errcode), body
        return body

    # Accounts

    def another_device(self, device: str | None = None, password: str = PASSWORD) -> "Client":
        """Logs the same user in on another device."""
        return login(self.server, self.user, password, device)

    def with_password(self, method: str, *parts: str, json: dict | None = None, password: str = PASSWORD, **options) -> Any:
        """A request that needs user-interactive authentication, done with the password."""
        json = json or {}
        base = options.pop("base", V3)
        challenge = self.request(method, path(*parts, base=base), json=json, expect=401, **options).json()
        assert any("m.login.password" in flow["stages"] for flow in challenge["flows"]), challenge
        auth = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self.user},
            "password": password,
            "session": challenge["session"],
        }
        return self.request(method, path(*parts, base=base), json={**json, "auth": auth}, **options).json()

    # Rooms

    def create_room(self, **options) -> str:
        return self.post("createRoom", json=options)["room_id"]

    def join(self, room: str) -> str:
        return self.post("join", room)["room_id"]

    def join_via(self, room: str, member: "Client") -> str:
        """Joins a room, by ID or alias, through the server of somebody who is in it."""
        return self.post("join", room, params={"via": member.server.server_name})["room_id"]

    def invite(self, room: str, *others: "Client") -> None:
        for other in others:
            self.post("rooms", room, "invite", json={"user_id": other.user})

    def leave(self, room: str) -> None:
        self.post("rooms", room, "leave")

    def send(self, room: str, content: dict, kind: str = "m.room.message", transaction: str | None = None, **options) -> str:
        transaction = transaction or f"t{next(_transactions)}"
        return self.put("rooms", room, "send", kind, transaction, json=content, **options)["event_id"]

    def say(self, room: str, text: str, **options) -> str:
        return self.send(room, {"msgtype": "m.text", "body": text}, **options)

    def set_state(self, room: str, kind: str, content: dict, key: str = "", **options) -> str:
        return self.put("rooms", room, "state", kind, key, json=content, **options)["event_id"]

    def state(self, room: str, kind: str, key: str = "", **options) -> Any:
        return self.get("rooms", room, "state", kind, key, **options)

    def event(self, room: str, event: str, **options) -> Any:
        return self.get("rooms", room, "event", event, **options)

    def messages(self, room: str, **params) -> Any:
        return self.get("rooms", room, "messages", params={"dir": "b", **params})

    def all_messages(self, room: str, page: int = 100, **params) -> list[dict]:
        """The room's whole timeline, newest first, by paginating backwards to its start."""
        events, position = [], {}
        while True:
            chunk = self.messages(room, limit=page, **position, **params)
            events += chunk["chunk"]
            if "end" not in chunk:
                return events
            assert chunk["end"] != position.get("from"), "pagination does not move"
            position = {"from": chunk["end"]}

    # Sync

    def sync(self, since: str | None = None, timeout: int = 0, **params) -> dict:
        query = {"timeout": timeout, **params}
        if since is not None:
            query["since"] = since
        return self.get("sync", params=query, timeout=60 + timeout / 1000)

    def sync_until(self, condition: Callable[[dict], Any], since: str | None = None, seconds: float = 20, **params) -> tuple[Any, str]:
        """Syncs on until the condition holds of a response; returns what it gave, and the token after it."""
        deadline = time.monotonic() + seconds
        while True:
            response = self.sync(since, timeout=2000, **params)
            since = response["next_batch"]
            if found := condition(response):
                return found, since
            assert time.monotonic() < deadline, f"nothing after {seconds} s; last response: {str(response)[:1000]}"


def register(server, name: str, password: str = PASSWORD, client: Client | None = None, **options) -> Client:
    """Makes an account with the m.login.dummy stage, and logs in: a new client, or this one."""
    client = client or Client(server)
    body = {"username": name, "password": password, **options}
    challenge = client.request("POST", path("register"), json=body, expect=401).json()
    assert ["m.login.dummy"] in [flow["stages"] for flow in challenge["flows"]], challenge
    auth = {"type": "m.login.dummy", "session": challenge["session"]}
    answer = client.post("register", json={**body, "auth": auth})
    return _remember(client, answer)


def login(server, user: str, password: str = PASSWORD, device: str | None = None, client: Client | None = None) -> Client:
    """Logs in: a new client, or this one."""
    client = client or Client(server)
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}
    if device is not None:
        body["device_id"] = device
    return _remember(client, client.post("login", json=body))


def register_administrator(server, name: str, password: str = PASSWORD) -> Client:
    """Makes an administrator with the shared secret (an endpoint of Synapse's that tools rely on)."""
    client = Client(server)
    where = "/_synapse/admin/v1/register"
    nonce = client.request("GET", where, schema=False).json()["nonce"]
    signed = "\0".join([nonce, name, password, "admin"])
    mac = hmac.new(server.shared_secret.encode(), signed.encode(), hashlib.sha1).hexdigest()
    body = {"nonce": nonce, "username": name, "password": password, "admin": True, "mac": mac}
    return _remember(client, client.request("POST", where, json=body, schema=False).json())


def _remember(client: Client, answer: dict) -> Client:
    client.user, client.token, client.device = answer["user_id"], answer["access_token"], answer["device_id"]
    return client
