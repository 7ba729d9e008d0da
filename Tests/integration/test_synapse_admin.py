"""Administration as Synapse has it: driven by synadm, and by requests for what synadm does not ask."""

import json
import time

import pytest
from harness.administration import administrator, ask, synadm, trail  # noqa: F401  (fixtures)
from harness.clients import Client, login
from harness.synadm import V1, V2, V3, acts, upload

pytestmark = pytest.mark.only_chappe(reason="a part of what Synapse has")


# Users


def test_the_version_says_which_server_this_is(synadm):
    assert synadm("version")["server_version"].startswith("Chappe ")


def test_an_account_is_made_changed_and_ended(server, synadm, administrator, ask, trail):
    user = f"@greta:{server.server_name}"
    before = int(time.time())
    made = synadm(
        "user", "modify", user, "-P", "the first secret", "-n", "Greta", "-t", "email", "greta@example.org", "-v",
        "mxc://example.org/face",
    )
    assert made["name"] == user and made["displayname"] == "Greta" and made["avatar_url"] == "mxc://example.org/face"
    assert [(item["medium"], item["address"]) for item in made["threepids"]] == [("email", "greta@example.org")]
    assert before * 1000 <= made["threepids"][0]["added_at"] <= time.time() * 1000
    assert made["admin"] is made["deactivated"] is made["erased"] is made["locked"] is made["suspended"] is False
    assert made["is_guest"] is made["shadow_banned"] is False and made["user_type"] is made["appservice_id"] is None
    assert made["external_ids"] == [] and made["last_seen_ts"] is None and made["consent_version"] is None
    # In seconds here, in milliseconds in the list.
    assert before <= made["creation_ts"] <= time.time()
    assert synadm("user", "details", user) == made

    greta = login(server, user, "the first secret")
    greta.get("account", "whoami")
    changed = ask(
        "PUT", V2, "users", user, json={"displayname": "", "avatar_url": "", "threepids": [], "admin": True, "password": "another secret"})
    assert changed["displayname"] is changed["avatar_url"] is None and changed["threepids"] == [] and changed["admin"] is True
    greta.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    greta = login(server, user, "another secret")
    ask("PUT", V2, "users", user, json={"password": "a third secret", "logout_devices": False, "admin": False})
    greta.get("account", "whoami")
    ask("PUT", V2, "users", user, json={"locked": True})
    greta.refused("M_USER_LOCKED", 401, "GET", "account", "whoami")
    assert ask("PUT", V2, "users", user, json={"locked": False})["locked"] is False
    # What is not named stays as it is.
    assert ask("PUT", V2, "users", user, json={}) == ask("GET", V2, "users", user)
    assert ask("PUT", V2, "users", user, json={"deactivated": True})["deactivated"] is True
    again = ask("PUT", V2, "users", user, json={"deactivated": False, "password": "the last secret"})
    assert again["deactivated"] is False
    login(server, user, "the last secret").close()
    assert acts(trail(user), administrator.user) == [
        "user.create", "user.avatar", "user.email.add", "user.password", "user.displayname", "user.avatar", "user.email.remove",
        "user.admin", "user.password", "user.unadmin", "user.lock", "user.unlock", "user.deactivate", "user.reactivate",
    ]
    assert "secret" not in json.dumps(trail(user))


def test_what_cannot_be_done_to_an_account_is_refused_whole(server, administrator, ask, alice):
    def refused(code: str, **change):
        body = ask("PUT", V2, "users", alice.user, json={"displayname": "Changed", **change}, expect=400)
        assert body["errcode"] == code, body
        assert ask("GET", V2, "users", alice.user)["displayname"] == alice.user[1:].split(":")[0]

    refused("M_BAD_JSON", admin="yes")
    refused("M_BAD_JSON", password=5)
    refused("M_BAD_JSON", threepids=["x"])
    refused("M_MISSING_PARAM", threepids=[{"medium": "email"}])
    refused("M_INVALID_PARAM", threepids=[{"medium": "msisdn", "address": "447470274584"}])
    refused("M_INVALID_PARAM", avatar_url="https://example.org/face.png")
    refused("M_UNKNOWN", deactivated=True, locked=True)
    refused("M_UNKNOWN", user_type="bot")
    refused("M_MISSING_PARAM", external_ids=[{"auth_provider": "oidc-x"}])
    refused("M_INVALID_PARAM", external_ids=[{"auth_provider": "", "external_id": "1"}])
    assert ask("PUT", V2, "users", administrator.user, json={"admin": False}, expect=400)["errcode"] == "M_UNKNOWN"
    ask("PUT", V2, "users", "@somebody:elsewhere.example", json={}, expect=400)
    ask("PUT", V2, "users", f"@Capital:{server.server_name}", json={}, expect=400)
    ask("GET", V2, "users", "@somebody:elsewhere.example", expect=400)
    assert ask("GET", V2, "users", f"@nobody:{server.server_name}", expect=404)["errcode"] == "M_NOT_FOUND"
    ask("GET", V2, "users", "no user", expect=400)


def test_accounts_are_listed_in_order_and_by_pages(server, synadm, ask):
    names = ["list.a", "list.b", "list.c_d", "list.cxd"]
    users = [f"@{name}:{server.server_name}" for name in names]
    for number, user in enumerate(users):
        ask("PUT", V2, "users", user, json={"displayname": f'Shown "{9 - number}" Üb%r'}, expect=201)
    ask("PUT", V2, "users", users[3], json={"locked": True})

    def listed(**params):
        answer = ask("GET", V2, "users", params={"user_id": "@list.", **params})
        return [user["name"] for user in answer["users"]], answer

    found, answer = listed()
    assert found == users[:3] and answer["total"] == 3 and "next_token" not in answer
    first = answer["users"][0]
    assert first.keys() >= {"is_guest", "admin", "user_type", "deactivated", "erased", "shadow_banned", "avatar_url", "last_seen_ts"}
    assert abs(first["creation_ts"] - time.time() * 1000) < 3_600_000
    assert listed(locked="true")[0] == users
    assert listed(locked="true", dir="b")[0] == users[::-1]
    assert listed(order_by="displayname")[0] == users[2::-1]
    for order in ("is_guest", "admin", "user_type", "deactivated", "shadow_banned", "avatar_url", "locked", "last_seen_ts"):
        assert listed(order_by=order)[0] == users[:3], order
    assert listed(order_by="creation_ts", dir="b")[0] == users[2::-1]
    page, answer = listed(limit=2)
    assert page == users[:2] and answer["next_token"] == "2" and answer["total"] == 3
    page, answer = listed(limit=2, **{"from": answer["next_token"]})
    assert page == users[2:3] and "next_token" not in answer
    assert listed(user_id="LIST.C_D")[0] == [users[2]]  # letters of all sizes; nothing is a pattern
    assert listed(user_id="list.%")[0] == []
    # The name is the localpart, or what others see.
    assert listed(name="st.c", locked="true")[0] == users[2:]
    assert listed(name='wn "8" Üb%')[0] == [users[1]]
    assert listed(name=server.server_name)[0] == []
    assert listed(not_user_type="bot")[0] == users[:3] and listed(not_user_type="")[0] == []
    ask("PUT", V2, "users", users[0], json={"admin": True})
    assert listed(admins="true")[0] == [users[0]] and listed(admins="false")[0] == users[1:3]
    ask("POST", V1, "deactivate", users[1])
    assert listed()[0] == [users[0], users[2]] and listed(deactivated="true")[0] == users[:3]

    def third(**params):
        answer = ask("GET", V3, "users", params={"user_id": "@list.", **params})
        return [user["name"] for user in answer["users"]]

    assert third() == users[:3] and third(deactivated="true") == [users[1]]
    assert third(deactivated="false") == [users[0], users[2]]
    ask("PUT", V2, "users", users[0], json={"admin": False})
    for wrong in ({"limit": "-1"}, {"from": "x"}, {"dir": "up"}, {"order_by": "size"}, {"guests": "perhaps"}, {"name": "x" * 300}):
        assert ask("GET", V2, "users", params=wrong, expect=400)["errcode"] == "M_INVALID_PARAM"
    assert [user["name"] for user in synadm("user", "list", "-n", "list.", "-L", "-d")["users"]] == users
    assert [user["name"] for user in synadm("user", "list", "-n", "list.", "-d", "--sort-by", "displayname")["users"]] == users[2::-1]


def test_guests_are_left_out_where_they_are_not_wanted(server, ask):
    guest = Client(server).request("POST", "/_matrix/client/v3/register", params={"kind": "guest"}, json={}, token=None, expect=None)
    if guest.status_code != 200:
        pytest.skip("guests are not admitted by this configuration")
    name = guest.json()["user_id"]
    assert [user["is_guest"] for user in ask("GET", V2, "users", params={"user_id": name})["users"]] == [True]
    assert ask("GET", V2, "users", params={"user_id": name, "guests": "false"})["users"] == []


def test_accounts_are_deactivated_suspended_and_get_new_passwords(server, synadm, administrator, ask, trail, users):
    ada, ben = users("ada", "ben")
    room = ada.create_room(preset="public_chat")
    synadm.text("user", "password", ada.user, "-n", "-p", "a new secret of adas")
    ada.get("account", "whoami")
    synadm.text("user", "password", ada.user, "-p", "the newest secret of adas")
    ada.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    ada = login(server, ada.user, "the newest secret of adas")
    assert ask("POST", V1, "reset_password", ada.user, expect=400)["errcode"] == "M_MISSING_PARAM"

    assert synadm("user", "suspend", ada.user) == {f"user_{ada.user}_suspended": True}
    ada.refused("M_USER_SUSPENDED", 403, "PUT", "rooms", room, "send", "m.room.message", "x", json={"msgtype": "m.text", "body": "x"})
    assert ask("GET", V2, "users", ada.user)["suspended"] is True
    assert ask("PUT", V1, "suspend", ada.user, json={"suspend": False}) == {f"user_{ada.user}_suspended": False}
    ada.say(room, "there again")

    assert ask("GET", V1, "users", ben.user, "admin") == {"admin": False}
    assert ask("PUT", V1, "users", ben.user, "admin", json={"admin": True}) == {}
    assert ask("GET", V1, "users", ben.user, "admin") == {"admin": True}
    ben.request("GET", f"{V2}/users", schema=False)
    ben.request("PUT", f"{V1}/users/{ben.user}/admin", json={"admin": False}, schema=False, expect=400)
    ask("PUT", V1, "users", ben.user, "admin", json={"admin": False})
    ben.request("GET", f"{V2}/users", schema=False, expect=403)

    ben.join(room)
    assert "id_server_unbind_result" in synadm("user", "deactivate", ben.user, "-e")
    told = ask("GET", V2, "users", ben.user)
    assert told["deactivated"] is told["erased"] is True and told["displayname"] is None
    assert ask("GET", V1, "users", ben.user, "joined_rooms") == {"joined_rooms": [], "total": 0}
    ask("POST", V1, "deactivate", f"@nobody:{server.server_name}", expect=404)
    assert trail(ben.user)[-1]["detail"] == {"erase": True}


def test_rooms_data_pushers_and_whereabouts_are_shown(server, synadm, ask, users):
    cora, dan = users("cora", "dan")
    room, other = cora.create_room(preset="public_chat"), cora.create_room(preset="public_chat")
    dan.join(room)
    dan.join(other)
    dan.leave(other)
    assert synadm("user", "membership", "--ids", dan.user)["joined_rooms"] == [room]
    assert ask("GET", V1, "users", dan.user, "memberships") == {"memberships": {room: "join", other: "leave"}}
    assert ask("GET", V1, "users", "@who:elsewhere.example", "joined_rooms")["total"] == 0
    dan.put("user", dan.user, "account_data", "org.example.note", json={"note": "n"})
    dan.put("user", dan.user, "rooms", room, "account_data", "org.example.mark", json={"mark": 1})
    kept = ask("GET", V1, "users", dan.user, "accountdata")["account_data"]
    assert kept["global"]["org.example.note"] == {"note": "n"} and "global" in kept["global"]["m.push_rules"]
    assert kept["rooms"] == {room: {"org.example.mark": {"mark": 1}}}
    assert ask("GET", V1, "users", dan.user, "pushers") == {"pushers": [], "total": 0}
    pusher = {
        "app_id": "org.example.app", "pushkey": "key", "kind": "http", "app_display_name": "App", "device_display_name": "Phone",
        "lang": "en", "profile_tag": "tag", "data": {"url": "https://push.example/_matrix/push/v1/notify", "format": "event_id_only"},
    }
    dan.post("pushers", "set", json=pusher)
    assert ask("GET", V1, "users", dan.user, "pushers") == {"pushers": [pusher], "total": 1}
    dan.get("account", "whoami")
    where = synadm("user", "whois", dan.user)
    assert where["user_id"] == dan.user and list(where["devices"]) == [""]
    ask("GET", V1, "users", f"@nobody:{server.server_name}", "accountdata", expect=404)


def test_devices_are_listed_named_made_and_removed(server, synadm, administrator, ask, trail, users):
    (eva,) = users("eva")
    second = eva.another_device()
    listed = ask("GET", V2, "users", eva.user, "devices")
    assert {device["device_id"] for device in listed["devices"]} == {eva.device, second.device} and listed["total"] == 2
    assert all(device["user_id"] == eva.user and device["dehydrated"] is False for device in listed["devices"])
    assert ask("PUT", V2, "users", eva.user, "devices", eva.device, json={"display_name": "The old one"}) == {}
    one = ask("GET", V2, "users", eva.user, "devices", eva.device)
    assert one["display_name"] == "The old one" and eva.get("devices", eva.device)["display_name"] == "The old one"
    ask("PUT", V2, "users", eva.user, "devices", eva.device, json={})
    assert ask("GET", V2, "users", eva.user, "devices", eva.device)["display_name"] == "The old one"
    ask("PUT", V2, "users", eva.user, "devices", "NONE", json={"display_name": "x"}, expect=404)
    ask("GET", V2, "users", eva.user, "devices", "NONE", expect=404)
    assert ask("POST", V2, "users", eva.user, "devices", json={"device_id": "MADE"}, expect=201) == {}
    assert "MADE" in {device["device_id"] for device in eva.get("devices")["devices"]}
    assert ask("DELETE", V2, "users", eva.user, "devices", "MADE", json={}) == {}
    assert ask("POST", V2, "users", eva.user, "delete_devices", json={"devices": [second.device, "NONE"]}) == {}
    second.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    assert [device["device_id"] for device in eva.get("devices")["devices"]] == [eva.device]
    third = eva.another_device()
    synadm.text("user", "prune-devices", eva.user, "-i", third.device, "-d", "0", "-s", "0", "--ts")
    third.refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    assert acts(trail(eva.user), administrator.user) == [
        "device.rename", "device.create", "session.end", "session.end", "session.end"
    ]


def test_an_administrator_acts_as_a_user_and_the_trail_tells(server, synadm, administrator, ask, trail, users):
    (fay,) = users("fay")
    token = synadm("user", "login", fay.user, "--expire-days", "1")["access_token"]
    acting = Client(server, fay.user, token)
    room = acting.create_room()
    assert fay.state(room, "m.room.member", fay.user)["membership"] == "join"
    entry = trail(fay.user)[-1]
    assert (entry["action"], entry["actor"]) == ("session.start", administrator.user)
    # The user sees it, and can end it.
    (device,) = [device for device in fay.get("devices")["devices"] if device["device_id"] != fay.device]
    assert device["display_name"] == "Administrator" and device["device_id"] == entry["detail"]["device_id"]
    acting.post("logout")
    assert [device["device_id"] for device in fay.get("devices")["devices"]] == [fay.device]
    # A token that expires is of no use afterwards.
    short = ask("POST", V1, "users", fay.user, "login", json={"valid_until_ms": int(time.time() * 1000) - 1})["access_token"]
    Client(server, fay.user, short).refused("M_UNKNOWN_TOKEN", 401, "GET", "account", "whoami")
    ask("POST", V1, "users", administrator.user, "login", expect=400)
    ask("POST", V1, "users", fay.user, "login", json={"valid_until_ms": "soon"}, expect=400)
    ask("PUT", V2, "users", fay.user, json={"deactivated": True})
    assert ask("POST", V1, "users", fay.user, "login", expect=403)["errcode"] == "M_USER_DEACTIVATED"


def test_names_and_addresses_are_looked_up(server, synadm, ask, alice):
    localpart = alice.user[1:].split(":")[0]
    assert ask("GET", V1, "username_available", params={"username": "never.seen"}) == {"available": True}
    assert ask("GET", V1, "username_available", params={"username": localpart}, expect=400)["errcode"] == "M_USER_IN_USE"
    assert ask("GET", V1, "username_available", params={"username": "bad name"}, expect=400)["errcode"] == "M_INVALID_USERNAME"
    assert ask("GET", V1, "username_available", expect=400)["errcode"] == "M_MISSING_PARAM"
    ask("PUT", V2, "users", alice.user, json={"threepids": [{"medium": "email", "address": "Alice+x@Example.org"}]})
    assert synadm("user", "3pid", "alice+x@example.org") == {"user_id": alice.user}
    ask("GET", V1, "threepid", "email", "users", "nobody@example.org", expect=404)
    ask("GET", V1, "threepid", "msisdn", "users", "447470274584", expect=404)


def test_files_of_users_are_listed_counted_and_deleted(server, synadm, administrator, ask, trail, users):
    gil, hal = users("gil.media", "hal.media")
    files = [upload(gil, b"x" * size, name) for size, name in ((30, "b.txt"), (10, "c.txt"), (20, "a.txt"))]
    listed = ask("GET", V1, "users", gil.user, "media")
    assert {file["media_id"] for file in listed["media"]} == set(files) and listed["total"] == 3
    (one,) = [file for file in listed["media"] if file["media_id"] == files[0]]
    assert (one["media_length"], one["media_type"], one["upload_name"]) == (30, "text/plain", "b.txt")
    assert one["quarantined_by"] is None and one["safe_from_quarantine"] is False and abs(one["created_ts"] / 1000 - time.time()) < 3600

    def order(**params):
        return [files.index(file["media_id"]) for file in ask("GET", V1, "users", gil.user, "media", params=params)["media"]]

    assert order(order_by="upload_name") == [2, 0, 1] and order(order_by="upload_name", dir="b") == [1, 0, 2]
    assert order(order_by="media_length") == [1, 2, 0] and order(order_by="media_length", limit=1, **{"from": 1}) == [2]
    assert ask("GET", V1, "users", gil.user, "media", params={"limit": 2})["next_token"] == 2
    assert synadm("user", "media", gil.user, "-l", "1")["total"] == 3

    upload(hal, b"y" * 100, "y.txt")
    used = ask("GET", V1, "statistics", "users", "media", params={"search_term": ".media", "order_by": "media_count", "dir": "b"})
    assert [(user["user_id"], user["media_count"], user["media_length"]) for user in used["users"]] == [
        (gil.user, 3, 60), (hal.user, 1, 100)
    ]
    assert used["total"] == 2 and used["users"][0]["displayname"] == gil.user[1:].split(":")[0]
    used = ask("GET", V1, "statistics", "users", "media", params={"search_term": ".media", "order_by": "media_length", "dir": "b", "limit": 1})
    assert used["users"][0]["user_id"] == hal.user and used["next_token"] == 1 and used["total"] == 2
    assert ask("GET", V1, "statistics", "users", "media", params={"search_term": ".media", "until_ts": 5})["total"] == 0
    ask("GET", V1, "statistics", "users", "media", params={"from_ts": 9, "until_ts": 5}, expect=400)
    ask("GET", V1, "statistics", "users", "media", params={"search_term": ""}, expect=400)

    gone = ask("DELETE", V1, "users", gil.user, "media", params={"order_by": "media_length", "dir": "b", "limit": 1})
    assert gone == {"deleted_media": [files[0]], "total": 1}
    gil.request("GET", f"/_matrix/client/v1/media/download/{server.server_name}/{files[0]}", expect=404)
    assert set(ask("DELETE", V1, "users", gil.user, "media")["deleted_media"]) == set(files[1:])
    assert ask("GET", V1, "users", gil.user, "media") == {"media": [], "total": 0}
    assert acts(trail(f"mxc://{server.server_name}/{files[0]}"), administrator.user) == ["media.delete"]


# Registration tokens


def test_registration_tokens_are_made_changed_and_revoked(synadm, administrator, ask, trail):
    made = synadm("regtok", "new", "-n", "synadm.token", "-u", "3")
    assert made == {"token": "synadm.token", "uses_allowed": 3, "pending": 0, "completed": 0, "expiry_time": None}
    assert ask("GET", V1, "registration_tokens", "synadm.token") == made
    assert synadm("regtok", "details", "--ts", "synadm.token") == made
    random = ask("POST", V1, "registration_tokens", "new", json={"length": 5})
    assert len(random["token"]) == 5 and random["uses_allowed"] is None
    later = int(time.time() * 1000) + 86_400_000
    assert ask("PUT", V1, "registration_tokens", "synadm.token", json={"expiry_time": later})["expiry_time"] == later
    assert ask("PUT", V1, "registration_tokens", "synadm.token", json={}) == {**made, "expiry_time": later}
    changed = ask("PUT", V1, "registration_tokens", "synadm.token", json={"uses_allowed": 0, "expiry_time": None})
    assert changed["uses_allowed"] == 0 and changed["expiry_time"] is None

    def listed(**params):
        return {token["token"] for token in ask("GET", V1, "registration_tokens", params=params)["registration_tokens"]}

    assert listed() >= {"synadm.token", random["token"]}
    assert "synadm.token" in listed(valid="false") and random["token"] not in listed(valid="false")
    assert "synadm.token" not in listed(valid="true") and random["token"] in listed(valid="true")
    for wrong in ({"token": "synadm.token"}, {"token": "no good"}, {"length": 65}, {"uses_allowed": -1}, {"expiry_time": 5}):
        assert ask("POST", V1, "registration_tokens", "new", json=wrong, expect=400)["errcode"] == "M_INVALID_PARAM"
    ask("PUT", V1, "registration_tokens", "nothing", json={"uses_allowed": 1}, expect=404)
    assert "success" in synadm.text("regtok", "delete", "synadm.token")
    ask("DELETE", V1, "registration_tokens", "synadm.token", expect=404)
    ask("GET", V1, "registration_tokens", "synadm.token", expect=404)
    assert acts(trail("syna…"), administrator.user) == ["token.create", "token.update", "token.update", "token.revoke"]
