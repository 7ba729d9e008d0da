"""What the tests of federation ask about a room, from the side of one user."""

from .clients import Client, path
from .waiting import eventually


def state_of(client: Client, room: str) -> dict[tuple[str, str], str]:
    """The room's current state: event IDs by type and state key."""
    return {(event["type"], event["state_key"]): event["event_id"] for event in client.get("rooms", room, "state")}


def content_of(client: Client, room: str, kind: str, key: str = "") -> dict | None:
    """The content of one piece of the room's state; None where there is none."""
    answer = client.request("GET", path("rooms", room, "state", kind, key), expect=(200, 404))
    return answer.json() if answer.status_code == 200 else None


def membership(client: Client, room: str, user: str) -> str | None:
    """A user's membership in a room, as another user's server knows it."""
    return (content_of(client, room, "m.room.member", user) or {}).get("membership")


def becomes(client: Client, room: str, user: str, wanted: str | None) -> None:
    """Waits until a user's membership is this, as another user's server knows it."""
    eventually(lambda: membership(client, room, user) == wanted, what=f"{user} is {wanted} to {client.user}")


def has(client: Client, room: str, event: str) -> bool:
    """Whether the event is there for this user."""
    answer = client.request("GET", path("rooms", room, "event", event), expect=(200, 403, 404))
    return answer.status_code == 200


def arrives(client: Client, room: str, event: str) -> dict:
    """Waits until an event is there for this user, and returns it."""
    eventually(lambda: has(client, room, event), what=f"{event} is there for {client.user}")
    return client.event(room, event)


def bodies(client: Client, room: str) -> list[str]:
    """The texts of all messages that this user can page back to, the oldest first."""
    events = reversed(client.all_messages(room))
    return [event["content"]["body"] for event in events if event["type"] == "m.room.message" and event["content"]]


def agree(room: str, *clients: Client, seconds: float = 30) -> dict[tuple[str, str], str]:
    """Waits until all these users' servers have the same state of the room, and returns it."""
    states: list[dict] = []

    def same():
        states[:] = [state_of(client, room) for client in clients]
        return all(state == states[0] for state in states)

    try:
        eventually(same, seconds)
    except AssertionError:
        keys = {key for state in states for key in state if any(other.get(key) != state[key] for other in states)}
        raise AssertionError(f"the servers differ in {keys}") from None
    return states[0]


def invited(client: Client, room: str, since: str | None = None) -> dict[tuple[str, str], dict]:
    """Waits for an invitation; returns the stripped state that came with it, by type and state key."""
    (section, _) = client.sync_until(lambda sync: sync.get("rooms", {}).get("invite", {}).get(room), since)
    return {(event["type"], event["state_key"]): event for event in section["invite_state"]["events"]}
