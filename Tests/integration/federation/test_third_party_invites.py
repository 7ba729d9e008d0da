"""People who are invited by an address: the room learns who they are from an identity server, whose part the test plays."""

import copy

import httpx
import pytest
from harness import web
from harness.pdus import SigningKey
from harness.rooms import agree, becomes, content_of, invited, membership
from harness.waiting import eventually

IDENTITY_SERVER = "identity.example"


@pytest.fixture
def identity():
    return SigningKey("ed25519:0")


def invite_address(client, room, identity, token):
    """What a client of an identity server brings about: nobody knows yet whom the address is of."""
    client.set_state(room, "m.room.third_party_invite", {
        "display_name": "b...@example", "public_key": identity.public, "public_keys": [{"public_key": identity.public}],
    }, key=token)


def bind(person, invitations) -> httpx.Response:
    """Tells a person's server that an address is theirs, as the identity server does."""
    server = person.server
    # The specification says PUT; identity servers and Synapse, POST.
    method = "POST" if server.kind == "synapse" else "PUT"
    with httpx.Client(verify=server.authority.client_context, timeout=60) as http:
        address = {"medium": "email", "address": "b@example", "mxid": person.user}
        return http.request(
            method, f"https://{server.server_name}/_matrix/federation/v1/3pid/onbind",
            json={**address, "invites": [{**address, **invitation} for invitation in invitations]},
        )


def statement(identity, person, token) -> dict:
    return identity.signed({"mxid": person.user, "token": token}, IDENTITY_SERVER)


def test_invited_by_address(alice, bob, dave, identity, version):
    room = alice.create_room(preset="private_chat", room_version=version)
    invite_address(alice, room, identity, "one")
    # A statement that somebody else has signed is worth nothing.
    forged = statement(SigningKey("ed25519:0"), dave, "one")
    bind(dave, [{"room_id": room, "sender": alice.user, "signed": forged}])
    assert membership(alice, room, dave.user) is None

    answer = bind(bob, [{"room_id": room, "sender": alice.user, "signed": statement(identity, bob, "one")}])
    assert answer.status_code == 200, answer.text
    invited(bob, room)
    becomes(alice, room, bob.user, "invite")
    content = content_of(alice, room, "m.room.member", bob.user)
    assert content["third_party_invite"]["signed"]["token"] == "one"
    bob.join(room)
    becomes(alice, room, bob.user, "join")
    state = agree(room, alice, bob)
    assert ("m.room.third_party_invite", "one") in state
    # What was signed for bob serves nobody else.
    stolen = copy.deepcopy(statement(identity, bob, "one"))
    bind(dave, [{"room_id": room, "sender": alice.user, "signed": {**stolen, "mxid": dave.user}}])
    assert membership(alice, room, dave.user) is None


def test_an_address_of_the_same_server(alice, carol, identity, pair):
    room = alice.create_room(preset="private_chat")
    invite_address(alice, room, identity, "two")
    answer = bind(carol, [{"room_id": room, "sender": alice.user, "signed": statement(identity, carol, "two")}])
    assert answer.status_code == 200, answer.text
    becomes(alice, room, carol.user, "invite")
    carol.join(room)
    becomes(alice, room, carol.user, "join")


@pytest.mark.parametrize("room_version", ["1", "10"])
def test_where_the_server_of_who_is_invited_is_in_the_room(alice, bob, dave, identity, pair, room_version):
    room = alice.create_room(preset="public_chat", room_version=room_version)
    bob.join_via(room, alice)
    invite_address(alice, room, identity, "four")
    eventually(lambda: content_of(bob, room, "m.room.third_party_invite", "four"), what="the invitation of the address")
    # It needs nobody else then, the server of who has invited least of all.
    pair.here.gate.close()
    forged = statement(SigningKey("ed25519:0"), dave, "four")
    bind(dave, [{"room_id": room, "sender": alice.user, "signed": forged}])
    assert membership(bob, room, dave.user) is None
    answer = bind(dave, [{"room_id": room, "sender": alice.user, "signed": statement(identity, dave, "four")}])
    assert answer.status_code == 200, answer.text
    becomes(bob, room, dave.user, "invite")
    dave.join(room)
    pair.here.gate.open()
    becomes(alice, room, dave.user, "join")
    agree(room, alice, bob, dave)


def test_a_key_that_does_not_count_any_more(alice, bob, identity):
    room = alice.create_room(preset="private_chat")
    with web.running() as pages:
        url = pages.url + "/isvalid"
        key = {"public_key": identity.public, "key_validity_url": url}
        alice.set_state(room, "m.room.third_party_invite", {"display_name": "b...@example", **key, "public_keys": [key]}, key="three")
        invitation = {"room_id": room, "sender": alice.user, "signed": statement(identity, bob, "three")}
        for answer in ('{"valid": false}', "nonsense"):
            pages.put("/isvalid", answer, "application/json")
            bind(bob, [invitation])
            assert membership(alice, room, bob.user) is None
        (asked, _), *_ = pages.asked
        assert httpx.URL(asked).params["public_key"] == identity.public
        pages.put("/isvalid", '{"valid": true}', "application/json")
        assert bind(bob, [invitation]).status_code == 200
        becomes(alice, room, bob.user, "invite")
