"""Sliding sync: the rules by which clients say what they want, and what are none."""

import pytest

from harness.sliding import ACCEPTED, EXPERIMENTAL, Loop, rooms_list
from test_sliding_sync import form, make_rooms  # noqa: F401 (a fixture)


# Filters


def test_filters(alice, bob, form):
    space = alice.create_room(name="Space", creation_content={"type": "m.space"})
    secret = alice.create_room(name="Secret", initial_state=[{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])
    plain = alice.create_room(name="Plain things")
    direct = alice.create_room(name="Direct")
    invited = bob.create_room(name="Invited", invite=[alice.user])
    alice.set_state(space, "m.space.child", {"via": [alice.server.server_name]}, plain)
    alice.put("user", alice.user, "account_data", "m.direct", json={bob.user: [direct]})
    alice.put("user", alice.user, "rooms", plain, "tags", "m.favourite", json={})
    alice.put("user", alice.user, "rooms", secret, "tags", "m.lowpriority", json={})
    everything = {space, secret, plain, direct, invited}
    cases = [
        ({"is_dm": True}, {direct}), ({"is_dm": False}, everything - {direct}),
        ({"is_encrypted": True}, {secret}), ({"is_encrypted": False}, everything - {secret}),
        ({"is_invite": True}, {invited}), ({"is_invite": False}, everything - {invited}),
        ({"room_types": ["m.space"]}, {space}), ({"room_types": [None]}, everything - {space}),
        ({"not_room_types": ["m.space"]}, everything - {space}), ({"room_types": ["m.space"], "not_room_types": ["m.space"]}, set()),
        ({"tags": ["m.favourite"]}, {plain}), ({"not_tags": ["m.favourite"]}, everything - {plain}),
        ({"tags": ["m.favourite", "m.lowpriority"], "not_tags": ["m.favourite"]}, {secret}),
        ({"is_dm": False, "is_encrypted": False, "is_invite": False, "not_room_types": ["m.space"]}, {plain}),
    ]
    if alice.server.kind != "synapse":
        cases.append(({"spaces": [space, "!unknown:example.org"]}, {plain}))
        cases.append(({"spaces": []}, set()))
        if form == "experimental":
            cases.append(({"room_name_like": "THING"}, {plain}))
    lists = {f"l{number}": rooms_list(1, [], (0, 99), **filters) for number, (filters, _) in enumerate(cases)}
    loop = Loop(alice, form)
    answer = loop.sync(lists)
    for number, (filters, expected) in enumerate(cases):
        assert answer["lists"][f"l{number}"]["count"] == len(expected), filters
    for number, (filters, expected) in enumerate(cases):
        assert set(Loop(alice, form, f"c{number % 6}").sync({"l": rooms_list(1, [], (0, 99), **filters)})["rooms"]) == expected, filters
    # What the rooms are changes, and with it the lists.
    alice.set_state(plain, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    alice.delete("user", alice.user, "rooms", plain, "tags", "m.favourite")
    alice.join(invited)
    answer = loop.sync(lists)
    counts = {str(filters): answer["lists"][f"l{number}"]["count"] for number, (filters, _) in enumerate(cases)}
    assert counts["{'is_encrypted': True}"] == 2 and counts["{'is_invite': True}"] == 0 and counts["{'tags': ['m.favourite']}"] == 0


# What is no request


@pytest.mark.only_chappe(reason="errcodes differ")
@pytest.mark.parametrize(
    "body", [
        {"lists": []}, {"lists": {"a": []}}, {"lists": {"a": {"timeline_limit": "1", "required_state": []}}},
        {"lists": {"a": {"required_state": []}}}, {"lists": {"a": {"timeline_limit": -1, "required_state": []}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": {}}}}, {"lists": {"a": {"timeline_limit": 1, "required_state": [["m.room.name"]]}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [[1, 2]]}}}, {"lists": {"": {"timeline_limit": 1, "required_state": []}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [["m.room.name", ""]] * 257}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "ranges": [[0]]}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "ranges": [[3, 2]]}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "ranges": [[-1, 2]]}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "ranges": [[0, 1.5]]}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "ranges": [[0, 1]] * 21}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "filters": {"is_dm": "yes"}}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "filters": {"room_types": [1]}}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": [], "filters": {"tags": ["t"] * 101}}}},
        {"lists": {f"l{number}": {"timeline_limit": 1, "required_state": []} for number in range(101)}},
        {"lists": {f"l{number}": {"timeline_limit": 1, "required_state": [["m.x", f"{number} {key}"] for key in range(250)]} for number in range(9)}},
        {"lists": {f"l{number}": {"timeline_limit": 1, "required_state": [], "filters": {"spaces": [f"!{number}_{key}:x" for key in range(99)]}} for number in range(2)}},
        {"room_subscriptions": {"no room": {"timeline_limit": 1, "required_state": []}}}, {"room_subscriptions": [1]},
        {"room_subscriptions": {f"!r{number}:x": {"timeline_limit": 1, "required_state": []} for number in range(101)}},
        {"extensions": []}, {"extensions": {"to_device": {"enabled": True, "since": "x"}}}, {"extensions": {"to_device": {"enabled": 1}}},
        {"extensions": {"to_device": {"enabled": True, "since": "99999999999999999999"}}},
        {"extensions": {"receipts": {"enabled": True, "rooms": "!a:b"}}}, {"conn_id": 1}, {"conn_id": "x" * 300}, {"txn_id": {}},
    ], ids=str)
def test_what_is_no_request_is_refused(alice, body):
    answer = alice.request("POST", EXPERIMENTAL, json=body, schema=False, expect=400).json()
    assert answer["errcode"] in ("M_BAD_JSON", "M_INVALID_PARAM", "M_MISSING_PARAM")


@pytest.mark.only_chappe(reason="Synapse has only the experiment")
@pytest.mark.parametrize(
    "body", [
        {"pos": 1}, {"timeout": "1"}, {"set_presence": "asleep"}, {"set_presence": 1}, {"lists": {"a": {"timeline_limit": 1}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": []}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": {"include": {}}}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": {"include": [{"type": 1}]}}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": {"exclude": [[]]}}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": {"lazy_members": 1}}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": {}, "range": [0]}}},
        {"lists": {"a": {"timeline_limit": 1, "required_state": {}, "range": {}}}},
    ], ids=str)
def test_what_is_no_request_of_the_accepted_form_is_refused(alice, body):
    answer = alice.request("POST", ACCEPTED, json=body, schema=False, expect=400).json()
    assert answer["errcode"] in ("M_BAD_JSON", "M_INVALID_PARAM", "M_MISSING_PARAM")


@pytest.mark.only_chappe(reason="Synapse has only the experiment")
def test_excluded_state(alice):
    (room,) = make_rooms(alice, 1)
    state = {"include": [{}], "exclude": [{"type": "m.room.create", "state_key": ""}, {"type": "m.room.member"}, {"type": "m.room.name", "state_key": "x"}]}
    answer = alice.request(
        "POST", "/_matrix/client/v4/sync", schema=False,
        json={"lists": {"all": {"timeline_limit": 1, "required_state": state}}},
    ).json()
    kinds = {event["type"] for event in answer["rooms"][room]["required_state"]}
    assert "m.room.name" in kinds and not kinds & {"m.room.create", "m.room.member"}


def test_odd_state_keys(alice, form):
    room = alice.create_room(preset="private_chat")
    alice.set_state(room, "org.example.e", {"n": 1}, "é")
    alice.set_state(room, "org.example.e", {"n": 2}, "e\u0301")
    shown = Loop(alice, form).sync({"all": rooms_list(0, [["org.example.e", "e\u0301"]])})["rooms"][room]
    assert [event["content"]["n"] for event in shown["required_state"]] == [2]
