"""Guests who are invited to rooms elsewhere, which their own server knows nothing of."""

import pytest
from harness.clients import Client, path
from harness.rooms import becomes, invited, membership


@pytest.fixture
def guest(pair):
    if pair.here.kind != "chappe":
        pytest.skip("Synapse lets its guests into no room elsewhere")
    client = Client(pair.here)
    answer = client.request("POST", path("register"), params={"kind": "guest"}, json={}).json()
    client.user, client.token, client.device = answer["user_id"], answer["access_token"], answer["device_id"]
    yield client
    client.close()


def test_guests_enter_rooms_elsewhere_that_admit_them(guest, bob):
    def invitation(access: str) -> str:
        room = bob.create_room(preset="private_chat", initial_state=[
            {"type": "m.room.guest_access", "content": {"guest_access": access}}
        ])
        bob.invite(room, guest)
        invited(guest, room)
        return room

    closed, open_room = invitation("forbidden"), invitation("can_join")
    answer = guest.request("POST", path("join", closed), json={}, expect=None)
    assert answer.status_code == 403, answer.text
    assert membership(bob, closed, guest.user) == "invite"
    guest.join(open_room)
    becomes(bob, open_room, guest.user, "join")
