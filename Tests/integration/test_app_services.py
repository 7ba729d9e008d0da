"""Application services: who they are, what they are told and asked, and that nothing is lost when they or the server are down."""

import pytest
from harness.app_services import AppService, running
from harness.clients import V1, Client, login, path, register
from harness.waiting import eventually

REGISTER = "/_matrix/client/v3/register"


@pytest.fixture(scope="module")
def bridge():
    service = AppService("irc", protocols=["irc"], receive_ephemeral=True)
    with running(service):
        yield service


@pytest.fixture(scope="module")
def watcher():
    """A service that only watches some rooms, and wants to hear nothing but events."""
    service = AppService("watch", namespaces={
        "users": [], "rooms": [], "aliases": [{"exclusive": False, "regex": "#watched_.*"}],
    }, protocols=["irc"])
    with running(service):
        yield service


@pytest.fixture(scope="module")
def server(make_server, engine, bridge, watcher, tmp_path_factory):
    files = tmp_path_factory.mktemp("registrations")
    silent = AppService("silent")
    silent.registration["url"] = None
    server = make_server(engine, settings={
        "app_services": [bridge.write(files), watcher.write(files), silent.write(files)],
    }).start()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log_tail()}"
    server.finish()


@pytest.fixture
def bot(bridge, server):
    bot = bridge.client(server)
    yield bot
    bot.close()


def test_a_service_is_itself_and_its_users(bridge, bot, server, fresh_name):
    assert bot.get("account", "whoami")["user_id"] == f"@_irc_bot:{server.server_name}"
    name = fresh_name("_irc_ghost")
    ghost = bot.register(name)
    assert ghost.get("account", "whoami")["user_id"] == ghost.user
    assert "device_id" not in ghost.get("account", "whoami")
    ghost.put("profile", ghost.user, "displayname", json={"displayname": "Ghost"})
    assert bot.get("profile", ghost.user)["displayname"] == "Ghost"
    bot.acting_as("_irc_nobody").refused("M_FORBIDDEN", 403, "GET", "account", "whoami")
    bot.acting_as("alice").refused("M_FORBIDDEN", 403, "GET", "account", "whoami")
    body = {"type": "m.login.application_service", "username": name}
    assert bot.request("POST", REGISTER, json=body, expect=400).json()["errcode"] == "M_USER_IN_USE"


def test_a_service_acts_with_devices(bot, server, fresh_name):
    name = fresh_name("_irc_ghost")
    ghost = bot.register(name)
    ghost.acting = ghost.service.client(server, user_id=ghost.user, device_id="PHONE")
    ghost.acting.refused("M_UNKNOWN_DEVICE", 400, "GET", "account", "whoami")
    ghost.request("PUT", path("devices", "PHONE"), json={"display_name": "Phone"}, expect=201)
    assert ghost.acting.get("account", "whoami")["device_id"] == "PHONE"
    unstable = ghost.service.client(server, **{"user_id": ghost.user, "org.matrix.msc3202.device_id": "PHONE"})
    assert unstable.get("account", "whoami")["device_id"] == "PHONE"
    ghost.request("PUT", path("devices", "PHONE"), json={"display_name": "Telephone"})
    assert ghost.get("devices", "PHONE")["display_name"] == "Telephone"
    # No password is asked for.
    ghost.delete("devices", "PHONE")
    ghost.acting.refused("M_UNKNOWN_DEVICE", 400, "GET", "account", "whoami")


def test_a_service_registers_and_logs_in_its_users_alone(bridge, bot, server, fresh_name):
    name = fresh_name("_irc_ghost")
    body = {"type": "m.login.application_service", "username": name, "device_id": "ONE"}
    answer = bot.request("POST", REGISTER, json=body).json()
    assert answer["device_id"] == "ONE"
    assert Client(server, token=answer["access_token"]).get("account", "whoami")["user_id"] == answer["user_id"]
    for where in ("register", "login"):
        other = {"type": "m.login.application_service", "username": "else",
                 "identifier": {"type": "m.id.user", "user": "else"}}
        bot.refused("M_EXCLUSIVE", 400, "POST", where, json=other)
        # The schema of 401 is that of user-interactive authentication, which is not for services.
        Client(server).refused("M_MISSING_TOKEN", 401, "POST", where, json=other, schema=False)
        Client(server, token="none").refused("M_UNKNOWN_TOKEN", 401, "POST", where, json=other, schema=False)
    session = bot.post("login", json={
        "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": name}})
    assert Client(server, token=session["access_token"]).get("account", "whoami")["device_id"] == session["device_id"]
    bot.refused("M_FORBIDDEN", 403, "POST", "login", json={
        "type": "m.login.application_service", "identifier": {"type": "m.id.user", "user": "_irc_never_there"}})
    flows = Client(server).get("login")["flows"]
    assert "m.login.application_service" in [flow["type"] for flow in flows]


def test_namespaces_are_for_their_service(bridge, bot, alice, server, fresh_name):
    client = Client(server)
    # Names with _ are refused before anybody asks whose they are.
    client.refused(("M_EXCLUSIVE", "M_INVALID_USERNAME"), 400, "POST", "register", json={
        "username": "_irc_somebody", "password": "a long enough password"})
    room = alice.create_room()
    alias = f"#_irc_{fresh_name('a')}:{server.server_name}"
    alice.refused("M_EXCLUSIVE", 400, "PUT", "directory", "room", alias, json={"room_id": room})
    alice.refused("M_EXCLUSIVE", 400, "POST", "createRoom", json={"room_alias_name": alias[1:].split(":")[0]})
    bot.put("directory", "room", alias, json={"room_id": room})
    assert alice.get("directory", "room", alias)["room_id"] == room
    alice.refused("M_EXCLUSIVE", 400, "DELETE", "directory", "room", alias)
    bot.delete("directory", "room", alias)
    bot.refused("M_EXCLUSIVE", 400, "PUT", "directory", "room", f"#other:{server.server_name}", json={"room_id": room})


def test_a_service_says_when_something_was_said(bridge, bot, alice, fresh_name):
    ghost = bot.register(fresh_name("_irc_ghost"))
    room = ghost.create_room(preset="public_chat")
    event = ghost.say(room, "long ago", params={"ts": 1_000_000_000_000}, transaction="once")
    assert ghost.event(room, event)["origin_server_ts"] == 1_000_000_000_000
    # The same transaction, though no device sends it.
    assert ghost.say(room, "long ago", params={"ts": 1_000_000_000_000}, transaction="once") == event
    topic = ghost.set_state(room, "m.room.topic", {"topic": "history"}, params={"ts": 5})
    assert ghost.event(room, topic)["origin_server_ts"] == 5
    for wrong in ("-1", "soon", str(2**60)):
        ghost.refused("M_INVALID_PARAM", 400, "PUT", "rooms", room, "send", "m.room.message", "t", params={"ts": wrong})
    alice.join(room)
    event = alice.say(room, "now", params={"ts": 5})
    assert alice.event(room, event)["origin_server_ts"] > 1_700_000_000_000


def test_a_service_is_told_of_the_rooms_of_its_users(bridge, bot, watcher, alice, bob, fresh_name):
    ghost = bot.register(fresh_name("_irc_ghost"))
    room = alice.create_room(preset="public_chat")
    alice.say(room, "before")
    alice.invite(room, ghost)
    ghost.join(room)
    alice.say(room, "during")
    last = ghost.say(room, "by a ghost")
    ghost.leave(room)
    alice.say(room, "after")
    other = bob.create_room()
    bob.say(other, "elsewhere")
    ghost.join(room)
    end = ghost.say(room, "the end")

    def told():
        events = [event for event in bridge.events if event["room_id"] == room]
        assert events and events[-1]["event_id"] == end
        return events

    events = eventually(told)
    assert [event["content"].get("membership") or event["content"]["body"] for event in events] == [
        "invite", "join", "during", "by a ghost", "leave", "join", "the end"]
    assert [event["event_id"] for event in events].count(last) == 1
    assert not [event for event in bridge.events if event["room_id"] == other]
    assert not [event for event in watcher.events if event["room_id"] == room]


def test_a_service_is_told_of_rooms_with_its_aliases(watcher, alice, server, fresh_name):
    alias = f"#watched_{fresh_name('a')}:{server.server_name}"
    room = alice.create_room()
    alice.say(room, "unheard")
    alice.put("directory", "room", alias, json={"room_id": room})
    heard = alice.say(room, "heard")
    eventually(lambda: [event for event in watcher.events if event["event_id"] == heard])
    assert "unheard" not in watcher.texts
    assert watcher.ephemeral == []


def test_a_service_is_told_what_passes(bridge, bot, alice, bob, fresh_name):
    ghost = bot.register(fresh_name("_irc_ghost"))
    room = alice.create_room(preset="public_chat")
    ghost.join(room)
    event = ghost.say(room, "read this")
    alice.put("rooms", room, "typing", alice.user, json={"typing": True, "timeout": 20_000})
    alice.post("rooms", room, "receipt", "m.read", event)
    alice.put("presence", alice.user, "status", json={"presence": "online", "status_msg": "at the bridge"})
    elsewhere = bob.create_room()
    bob.put("rooms", elsewhere, "typing", bob.user, json={"typing": True})

    def told():
        ours = [part for part in bridge.ephemeral if part.get("room_id") == room]
        assert any(part["type"] == "m.typing" and part["content"] == {"user_ids": [alice.user]} for part in ours)
        assert any(part["type"] == "m.receipt" and alice.user in part["content"][event]["m.read"] for part in ours)
        assert any(part["type"] == "m.presence" and part["sender"] == alice.user
                   and part["content"].get("status_msg") == "at the bridge" for part in bridge.ephemeral)
        return True

    eventually(told)
    assert not [part for part in bridge.ephemeral if part.get("room_id") == elsewhere]
    before = len(bridge.ephemeral)
    alice.post("rooms", room, "receipt", "m.read.private", ghost.say(room, "read this in private"))
    eventually(lambda: "read this in private" in bridge.texts)
    assert not [part for part in bridge.ephemeral[before:] if "m.read.private" in str(part)]


def test_users_are_made_when_they_are_asked_for(bridge, bot, alice, server, fresh_name):
    name = fresh_name("_irc_made")
    user = f"@{name}:{server.server_name}"

    def make():
        bot.register(name)
        return 200, {}

    alice.refused("M_NOT_FOUND", 404, "GET", "profile", user)
    bridge.answers[f"/users/{user}"] = make
    assert alice.get("profile", user)["displayname"] == name
    invited = fresh_name("_irc_made")
    user = f"@{invited}:{server.server_name}"

    def make_invited():
        bot.register(invited)
        return 200, {}

    bridge.answers[f"/users/{user}"] = make_invited
    room = alice.create_room()
    alice.post("rooms", room, "invite", json={"user_id": user})
    bot.acting_as(invited).join(room)
    alice.refused("M_NOT_FOUND", 404, "GET", "profile", f"@nobody:{server.server_name}")
    assert not [path for _, path, _, _ in bridge.asked if "nobody" in path]


def test_aliases_are_made_when_they_are_asked_for(bridge, bot, alice, server, fresh_name):
    alias = f"#_irc_{fresh_name('channel')}:{server.server_name}"
    alice.refused("M_NOT_FOUND", 404, "GET", "directory", "room", alias)

    def make():
        bot.create_room(room_alias_name=alias[1:].split(":")[0], preset="public_chat")
        return 200, {}

    bridge.answers[f"/rooms/{alias}"] = make
    room = alice.join(alias)
    assert alice.get("directory", "room", alias)["room_id"] == room


def test_networks_are_those_of_all_services(bridge, watcher, alice, server):
    def instance(name):
        return {"desc": name, "network_id": name, "fields": {}}

    common = {"user_fields": ["nick"], "location_fields": ["channel"], "icon": "mxc://a/b", "field_types": {}}
    bridge.answers["/thirdparty/protocol/irc"] = 200, {**common, "instances": [instance("one")]}
    watcher.answers["/thirdparty/protocol/irc"] = 200, {**common, "icon": "mxc://c/d", "instances": [instance("two")]}
    protocols = alice.get("thirdparty", "protocols")
    assert protocols == {"irc": {**common, "instances": [
        {**instance("one"), "instance_id": "irc|one"}, {**instance("two"), "instance_id": "watch|two"}]}}
    assert alice.get("thirdparty", "protocol", "irc") == protocols["irc"]
    alice.refused("M_NOT_FOUND", 404, "GET", "thirdparty", "protocol", "smoke")
    place = {"alias": f"#_irc_c:{server.server_name}", "protocol": "irc", "fields": {"channel": "#c"}}
    person = {"userid": f"@_irc_p:{server.server_name}", "protocol": "irc", "fields": {"nick": "p"}}
    bridge.answers.update({
        "/thirdparty/location/irc": (200, [place]), "/thirdparty/user/irc": (200, [person]),
        "/thirdparty/location": (200, [place]), "/thirdparty/user": (200, [person])})
    watcher.answers["/thirdparty/location/irc"] = 500, {}
    assert alice.get("thirdparty", "location", "irc", params={"channel": "#c &"}) == [place]
    assert bridge.asked[-1][1:3] == ("/thirdparty/location/irc", {"channel": "#c &"})
    assert alice.get("thirdparty", "user", "irc", params={"nick": "p"}) == [person]
    assert alice.get("thirdparty", "location", params={"alias": place["alias"]}) == [place]
    assert alice.get("thirdparty", "user", params={"userid": person["userid"]}) == [person]
    assert alice.get("thirdparty", "user", params={"userid": alice.user}) == []


def test_a_service_lists_rooms_of_its_networks(bot, alice):
    room = alice.create_room(preset="public_chat", name="Channel")

    def listed(**query):
        return room in [found["room_id"] for found in alice.post("publicRooms", json=query)["chunk"]]

    where = "directory", "list", "appservice", "one", room
    alice.refused("M_FORBIDDEN", 403, "PUT", *where, json={"visibility": "public"})
    bot.put(*where, json={"visibility": "public"})
    assert not listed() and listed(third_party_instance_id="irc|one") and listed(include_all_networks=True)
    assert not listed(third_party_instance_id="irc|two") and not listed(third_party_instance_id="nothing")
    alice.put("directory", "list", "room", room, json={"visibility": "public"})
    assert listed() and listed(third_party_instance_id="irc|one") and listed(include_all_networks=True)
    bot.put(*where, json={"visibility": "private"})
    assert listed() and not listed(third_party_instance_id="irc|one") and listed(include_all_networks=True)


def test_a_service_asks_whether_it_can_be_reached(bridge, bot, alice, server):
    ping = "appservice", "irc", "ping"
    bridge.answers["/ping"] = 200, {}
    assert bot.post(*ping, base=V1, json={"transaction_id": "meow"})["duration_ms"] >= 0
    assert bridge.asked[-1] == ("POST", "/ping", {}, {"transaction_id": "meow"})
    bridge.answers["/ping"] = 403, {"errcode": "M_FORBIDDEN"}
    refused = bot.refused("M_BAD_STATUS", 502, "POST", *ping, base=V1)
    assert refused["status"] == 403 and "M_FORBIDDEN" in refused["body"]
    bridge.stop()
    bot.refused("M_CONNECTION_FAILED", 502, "POST", *ping, base=V1)
    bridge.start()
    bot.refused("M_FORBIDDEN", 403, "POST", "appservice", "watch", "ping", base=V1)
    alice.refused("M_FORBIDDEN", 403, "POST", *ping, base=V1)
    silent = AppService("silent").client(server)
    silent.refused("M_URL_NOT_SET", 400, "POST", "appservice", "silent", "ping", base=V1)


def test_a_service_ends_accounts_of_its_users(bot, fresh_name):
    ghost = bot.register(fresh_name("_irc_ghost"))
    ghost.post("account", "deactivate", json={})
    ghost.refused("M_USER_DEACTIVATED", 403, "GET", "account", "whoami")


def test_nothing_is_lost_and_all_is_in_order(make_server, engine, tmp_path):
    service, idle = AppService("log", receive_ephemeral=True), AppService("idle")
    files = [service.write(tmp_path), idle.write(tmp_path)]
    with running(service, idle):
        server = make_server(engine, settings={"app_services": files}).start()
        bot, other = service.client(server), idle.client(server)
        alice = register(server, "alice")
        room = alice.create_room(preset="public_chat")
        bot.join(room)
        other.join(room)
        said = []

        def say(count):
            for _ in range(count):
                said.append(str(len(said)))
                alice.say(room, said[-1])

        def arrived(who):
            assert who.texts == said[:len(who.texts)], "out of order, or something is missing"
            return who.texts == said

        say(3)
        eventually(lambda: arrived(service) and arrived(idle))
        # One that fails delays nobody else, and gets the same again.
        service.status = 500
        say(150)
        eventually(lambda: arrived(idle))
        # Within a second and a half it is tried twice.
        eventually(lambda: len([number for number, _ in service.sent if number == service.sent[-1][0]]) >= 2)
        server.kill()
        server.start()
        say(3)
        service.stop()
        eventually(lambda: arrived(idle))
        server.restart()
        say(3)
        service.status = 200
        service.start()
        eventually(lambda: arrived(service) and arrived(idle), seconds=60)
        bodies: dict[str, set] = {}
        for number, body in service.sent:
            bodies.setdefault(number, set()).add(body)
        assert all(len(versions) == 1 for versions in bodies.values()), "a transaction was altered"
        assert all(len(body["events"]) <= 100 for _, body in service.taken)
        numbers = [int(number) for number, _ in service.taken]
        assert numbers == sorted(numbers)
        # A slow one gets the rest when it is ready.
        service.delay_seconds = 0.5
        say(20)
        server.kill()
        server.start()
        service.delay_seconds = 0.0
        say(1)
        eventually(lambda: arrived(service) and arrived(idle), seconds=60)
        # While it is not configured nothing is kept for it.
        server.finish()


def test_a_wrong_registration_is_told(make_server, tmp_path):
    first, second = AppService("one"), AppService("two")
    second.registration |= {"as_token": first.token, "url": "ftp://x", "namespaces": {"users": [{"regex": "("}]}}
    server = make_server("sqlite", settings={"app_services": [first.write(tmp_path), second.write(tmp_path)]})
    server.launch()
    assert server.process.wait(20) != 0
    server._log_writer.wait(5)
    log = server.log_tail()
    assert "two.yaml" in log
    for part in ("as_token: is that of another application service", "url: must begin", "namespaces.users[0].regex"):
        assert part in log
    server.finish()


def test_messages_to_devices_and_keys_are_told(make_server, engine, tmp_path):
    service = AppService("crypt", **{"de.sorunome.msc2409.push_ephemeral": True, "org.matrix.msc3202": True})
    with running(service):
        server = make_server(engine, settings={"app_services": [service.write(tmp_path)]}).start()
        bot = service.client(server)
        ghost = bot.register("_crypt_ghost")
        ghost.request("PUT", path("devices", "DEVICE"), json={}, expect=201)
        alice = register(server, "alice")
        room = alice.create_room(preset="public_chat")
        ghost.join(room)
        content = {ghost.user: {"DEVICE": {"hello": "ghost"}}}
        alice.put("sendToDevice", "m.example", "t1", json={"messages": content})
        login(server, alice.user)

        def told():
            messages = [part for _, body in service.taken for part in body.get("de.sorunome.msc2409.to_device", [])]
            assert messages == [{
                "to_user_id": ghost.user, "to_device_id": "DEVICE", "type": "m.example", "sender": alice.user,
                "content": {"hello": "ghost"}}]
            counts = [body["org.matrix.msc3202.device_one_time_keys_count"] for _, body in service.taken
                      if "org.matrix.msc3202.device_one_time_keys_count" in body]
            assert counts[-1] == {ghost.user: {"DEVICE": {"signed_curve25519": 0}}}
            changed = [user for _, body in service.taken
                       for user in body.get("org.matrix.msc3202.device_lists", {}).get("changed", [])]
            assert alice.user in changed
            return True

        eventually(told)
        server.finish()
