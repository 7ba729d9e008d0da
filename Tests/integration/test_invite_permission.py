"""Whose invitations a user takes: blocking all of them, and the lists of MSC4155."""

import pytest
from harness.sliding import Loop, rooms_list

STABLE = "m.invite_permission_config"
BLOCKING = "org.matrix.msc4380.invite_permission_config"
FILTERING = "org.matrix.msc4155.invite_permission_config"
BLOCKED = "M_INVITE_BLOCKED"
BLOCKED_UNSTABLE = "ORG.MATRIX.MSC4155.M_INVITE_BLOCKED"


def configure(client, content, kind=STABLE):
    client.put("user", client.user, "account_data", kind, json=content)


def invitations(client, **params):
    return client.sync(**params).get("rooms", {}).get("invite", {})


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        (STABLE, {"default_action": "block"}, BLOCKED),
        (BLOCKING, {"default_action": "block"}, BLOCKED_UNSTABLE),
        (BLOCKING, {"block_all": True}, BLOCKED_UNSTABLE),
        (FILTERING, {"blocked_users": ["@*"]}, BLOCKED_UNSTABLE),
    ],
)
def test_blocking_every_invitation(alice, bob, kind, content, code):
    room = alice.create_room(preset="private_chat")
    configure(bob, content, kind)
    alice.refused(code, 403, "POST", "rooms", room, "invite", json={"user_id": bob.user}, schema=False)
    alice.refused(code, 403, "PUT", "rooms", room, "state", "m.room.member", bob.user, json={"membership": "invite"}, schema=False)
    alice.refused(code, 403, "POST", "createRoom", json={"invite": [bob.user]}, schema=False)
    assert not invitations(bob)
    configure(bob, {}, kind)
    alice.invite(room, bob)
    assert room in invitations(bob)


@pytest.mark.parametrize("content", [{"default_action": "allow"}, {"default_action": ["block"]}, {"blocked_users": "@*"}, {"blocked_users": [7]}])
def test_what_blocks_nothing(alice, bob, content):
    configure(bob, content)
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    assert room in invitations(bob)


def test_invitations_from_before_are_not_told_while_they_are_blocked(alice, bob):
    since = bob.sync()["next_batch"]
    room = alice.create_room(preset="private_chat", invite=[bob.user])
    configure(bob, {"default_action": "block"})
    assert not invitations(bob) and not invitations(bob, since=since)
    sliding = Loop(bob)
    assert room not in sliding.sync({"all": rooms_list()}).get("rooms", {})
    # It stands all the same.
    assert alice.state(room, "m.room.member", bob.user)["membership"] == "invite"
    configure(bob, {})
    assert room in sliding.sync({"all": rooms_list()}).get("rooms", {})
    assert room in invitations(bob)
    bob.join(room)


def test_the_first_list_that_matches_decides(alice, bob, carol):
    server = alice.server.server_name.split(":")[0]
    room = alice.create_room(preset="private_chat")
    configure(bob, {"allowed_users": [alice.user.upper()], "blocked_servers": [server]}, FILTERING)
    other = carol.create_room(preset="private_chat")
    carol.refused(BLOCKED_UNSTABLE, 403, "POST", "rooms", other, "invite", json={"user_id": bob.user}, schema=False)
    alice.invite(room, bob)
    assert room in invitations(bob)
    # The lists are put out of force without being given up.
    configure(bob, {"enabled": False, "blocked_servers": ["*"]}, FILTERING)
    carol.invite(other, bob)


def test_ignored_invitations_stand_but_are_not_told(alice, bob, carol):
    configure(bob, {"ignored_users": [alice.user], "blocked_users": ["*"]}, FILTERING)
    room = alice.create_room(preset="private_chat")
    alice.invite(room, bob)
    assert alice.state(room, "m.room.member", bob.user)["membership"] == "invite"
    assert not invitations(bob)
    assert not Loop(bob).sync({"all": rooms_list()}).get("rooms", {})


def test_invitations_of_ignored_users_are_not_told(alice, bob):
    since = bob.sync()["next_batch"]
    bob.put("user", bob.user, "account_data", "m.ignored_user_list", json={"ignored_users": {alice.user: {}}})
    alice.create_room(preset="private_chat", invite=[bob.user])
    assert not invitations(bob) and not invitations(bob, since=since)
    assert not Loop(bob).sync({"all": rooms_list()}).get("rooms", {})


def test_it_is_announced(alice):
    features = alice.get(base="/_matrix/client/versions")["unstable_features"]
    assert features["org.matrix.msc4155"] and features["org.matrix.msc4380"] and features["org.matrix.msc4380.stable"]
