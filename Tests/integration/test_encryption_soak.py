"""Encrypted devices that go away, change keys, come back and send, in random order, while the server is restarted and killed: none ever
fails to read a message that it should be able to read.

A hundred steps each, or `--steps`; `make soak` runs a thousand. `--seed` runs the same plan again (not the same interleaving: what is
done in one step is done at the same time).
"""

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest
from harness.clients import Client, login, register
from harness.olm_device import Keys, OlmDevice, SlidingOlmDevice

#: How many devices a user may have at once.
MOST_DEVICES = 3


class PatientClient(Client):
    """Repeats what was not answered, as clients do, once the server is there again."""

    revive = staticmethod(lambda: None)

    def request(self, method, where, **options):
        while True:
            try:
                return super().request(method, where, **options)
            except httpx.TransportError:
                self.revive()


@dataclass(eq=False)
class Person:
    """A user. `present_since` is when they were last known to be in the room; None while they are not."""

    client: Client
    present_since: int | None = None

    @property
    def user(self) -> str:
        return self.client.user


@dataclass(eq=False)
class Holder:
    """A device, and since when others must know of it; it is `ended` as soon as it begins to log out."""

    person: Person
    device: OlmDevice
    published_at: int | None = None
    #: When its last sync that came to an end began.
    synced_at: int = -1
    ended: bool = False


@dataclass(eq=False)
class Message:
    """Something said, and who must be able to read it: each with the presence in the room that it is owed to."""

    event: str
    text: str
    sender: Holder
    sent_at: int
    owed: dict[Holder, int | None] = field(default_factory=dict)


class World:
    """All people, devices and messages, and what is wrong."""

    def __init__(self, server, chance: random.Random):
        self.server, self.chance = server, chance
        self.people: list[Person] = []
        self.holders: list[Holder] = []
        self.messages: list[Message] = []
        self.problems: list[str] = []
        self.done: list[str] = []
        self.room = ""
        self._ticks = itertools.count(1)
        self._lock = threading.Lock()
        self._claimed: set[tuple[Keys, str]] = set()
        self._texts = itertools.count(1)
        self.fallbacks = 0

    # Watch

    def now(self) -> int:
        with self._lock:
            return next(self._ticks)

    def fail(self, what: str) -> None:
        self.problems.append(what)

    def queried(self, users, found, asked_at) -> None:
        for holder in self._known_since(asked_at):
            keys = holder.device.keys
            if keys.user in users and found[keys.user].get(keys.device) != keys and not holder.ended:
                self.fail(f"/keys/query does not tell of {holder.device}, or of other keys: {found[keys.user].get(keys.device)}")

    def claimed(self, wanted, found, asked_at) -> None:
        with self._lock:
            for keys, (name, is_fallback) in found.items():
                # A device counts its fallback keys for themselves: one has the name of a one-time key, and two who claim at once may
                # hear of them in the other order.
                if is_fallback:
                    self.fallbacks += 1
                    continue
                if (keys, name) in self._claimed:
                    self.fail(f"{name} of {keys} was given twice")
                self._claimed.add((keys, name))
        for holder in self._known_since(asked_at):
            if holder.device.keys in wanted and holder.device.keys not in found and not holder.ended:
                self.fail(f"no key for {holder.device}, which has a fallback key")

    def _known_since(self, when: int) -> list[Holder]:
        return [holder for holder in self.holders if holder.published_at and holder.published_at < when and not holder.ended]

    # The server

    def revive(self) -> None:
        with self._lock:
            if self.server.process.poll() is not None:
                self.server.start()
        time.sleep(0.01)

    def kill(self, after: float) -> None:
        time.sleep(after)
        with self._lock:
            self.server.kill()

    def restart(self, after: float) -> None:
        time.sleep(after)
        with self._lock:
            self.server.restart()

    # Devices

    def log_in(self, person: Person, device: str | None = None) -> Holder:
        client = PatientClient(self.server)
        client.revive = self.revive
        known = login(self.server, person.user, device=device, client=client)
        options = {
            "page": self.chance.choice([1, 3, 20]), "key_count": self.chance.choice([1, 2, 5]), "rotation": self.chance.choice([1, 4, 30])}
        if form := self.chance.choice([None, None, "experimental", "accepted"]):
            made = SlidingOlmDevice(known, self.room, self, form=form, **options)
        else:
            made = OlmDevice(known, self.room, self, **options)
        holder = Holder(person, made)
        self.holders.append(holder)
        made.publish()
        holder.published_at = self.now()
        self.catch_up(holder)
        return holder

    def log_out(self, holder: Holder) -> None:
        holder.ended = True
        holder.device.client.request("POST", "/_matrix/client/v3/logout", json={}, expect=(200, 401))

    def replace(self, holder: Holder) -> None:
        """The same name, with other keys."""
        self.log_out(holder)
        self.log_in(holder.person, holder.device.keys.device)

    def catch_up(self, holder: Holder) -> None:
        began = self.now()
        holder.device.catch_up()
        holder.synced_at = began
        self.check(holder, began)

    def lose_an_answer(self, holder: Holder) -> None:
        """What the server has said does not arrive."""
        holder.device.sync()

    def forget_a_token(self, holder: Holder) -> None:
        """What was said is there, but not where it came from: it is asked for again."""
        device = holder.device
        answer = device.sync()
        since = device.since
        device.take(answer)
        device.since = since

    def rename(self, holder: Holder, name: str) -> None:
        device = holder.device.client
        device.put("devices", device.device, json={"display_name": name})

    def say(self, holder: Holder, looks_first: bool) -> None:
        # Whoever has not seen that they are in the room does not know who else is.
        if looks_first or holder.synced_at < (holder.person.present_since or 0):
            self.catch_up(holder)
        owed = {
            other: other.person.present_since for other in self._known_since(holder.synced_at)
            if other is not holder and other.person.present_since and other.person.present_since < holder.synced_at
        }
        text = f"message {next(self._texts)} of {holder.device}"
        event = holder.device.say(text)
        message = Message(event, text, holder, self.now(), owed)
        with self._lock:
            self.messages.append(message)

    def use_up_keys(self, holder: Holder, victims: list[Keys]) -> None:
        """Claims keys that nobody uses."""
        for _ in range(4):
            holder.device.claim(victims)

    # People

    def leave(self, person: Person) -> None:
        person.present_since = None
        person.client.leave(self.room)

    def come_back(self, person: Person) -> None:
        person.client.join(self.room)
        person.present_since = self.now()

    # Judgment

    def check(self, holder: Holder, when: int) -> None:
        """Whether a device that has caught up, from `when` on, has all that it is owed."""
        for message in list(self.messages):
            if message.sent_at >= when or holder not in message.owed:
                continue
            presence = message.owed[holder]
            if holder.ended or holder.person.present_since != presence:
                del message.owed[holder]
            elif holder.device.texts.get(message.event) == message.text:
                del message.owed[holder]
            else:
                event = holder.device.unread.get(message.event)
                what = f"has no key for session {event['content']['session_id']}" if event else "was not told of it"
                self.fail(f"{holder.device} cannot read {message.text!r} ({message.event}): it {what}")
                for device in (message.sender.device, holder.device):
                    print(device, *device.diary, sep="\n  ")
                del message.owed[holder]

    def free(self, busy: set, *, present: bool = False) -> list[Holder]:
        return [
            holder for holder in self.holders
            if not holder.ended and holder.published_at and holder not in busy and holder.person not in busy
            and (holder.person.present_since or not present)
        ]


class Plan:
    """Chooses what happens next. What it chooses is done at the same time."""

    ACTIONS = {
        "say": 9, "say_blindly": 3, "come_online": 5, "lose_an_answer": 2, "forget_a_token": 1, "log_in": 1, "log_out": 0.6,
        "replace": 1, "use_up_keys": 1, "leave": 0.5, "come_back": 1, "rotate": 1, "rename": 0.5, "kill": 0.7, "restart": 0.3,
    }

    def __init__(self, world: World, chance: random.Random):
        self.world, self.chance = world, chance

    def step(self, pool: ThreadPoolExecutor) -> None:
        busy: set = set()
        work = []
        for action in self.chance.choices(list(self.ACTIONS), list(self.ACTIONS.values()), k=self.chance.choice([1, 1, 2, 3])):
            if task := getattr(self, f"_{action}")(busy):
                self.world.done.append(action)
                work.append(pool.submit(*task))
        for task in work:
            task.result(300)
        self.world.revive()

    def _pick(self, busy: set, **choice) -> Holder | None:
        if free := self.world.free(busy, **choice):
            holder = self.chance.choice(free)
            busy.add(holder)
            return holder
        return None

    def _say(self, busy):
        return (holder := self._pick(busy, present=True)) and (self.world.say, holder, True)

    def _say_blindly(self, busy):
        return (holder := self._pick(busy, present=True)) and (self.world.say, holder, False)

    def _come_online(self, busy):
        return (holder := self._pick(busy)) and (self.world.catch_up, holder)

    def _lose_an_answer(self, busy):
        return (holder := self._pick(busy)) and (self.world.lose_an_answer, holder)

    def _forget_a_token(self, busy):
        return (holder := self._pick(busy)) and (self.world.forget_a_token, holder)

    def _rotate(self, busy):
        return (holder := self._pick(busy)) and (holder.device.rotate,)

    def _rename(self, busy):
        return (holder := self._pick(busy)) and (self.world.rename, holder, f"name {self.chance.randrange(1000)}")

    def _devices(self, person: Person) -> int:
        return len([holder for holder in self.world.free(set()) if holder.person is person])

    def _log_in(self, busy):
        people = [person for person in self.world.people if person not in busy and self._devices(person) < MOST_DEVICES]
        if not people:
            return None
        person = self.chance.choice(people)
        busy.add(person)
        return (self.world.log_in, person)

    def _log_out(self, busy):
        free = [holder for holder in self.world.free(busy) if self._devices(holder.person) > 1]
        if not free:
            return None
        holder = self.chance.choice(free)
        busy |= {holder, holder.person}
        return (self.world.log_out, holder)

    def _replace(self, busy):
        holder = self._pick(busy)
        if holder:
            busy.add(holder.person)
        return holder and (self.world.replace, holder)

    def _use_up_keys(self, busy):
        holder = self._pick(busy)
        return holder and (self.world.use_up_keys, holder, [other.device.keys for other in self.world.free(set())])

    def _leave(self, busy):
        present = [person for person in self.world.people if person.present_since]
        if len(present) < 3:
            return None
        person = self.chance.choice(present[1:])
        if person in busy or any(holder.person is person for holder in busy if isinstance(holder, Holder)):
            return None
        busy.add(person)
        return (self.world.leave, person)

    def _come_back(self, busy):
        away = [person for person in self.world.people if not person.present_since and person not in busy]
        if not away:
            return None
        person = self.chance.choice(away)
        busy.add(person)
        return (self.world.come_back, person)

    def _kill(self, busy):
        return self._end(busy, self.world.kill)

    def _restart(self, busy):
        return self._end(busy, self.world.restart)

    def _end(self, busy, how):
        if "server" in busy:
            return None
        busy.add("server")
        return (how, self.chance.uniform(0, 0.08))


@pytest.mark.only_chappe(reason="the server is killed, and must have kept what it acknowledged")
def test_devices_read_all_that_they_should(own_server, seed, steps):
    chance = random.Random(seed)
    world = World(own_server, chance)
    for name in ("alice", "bob", "carol"):
        client = register(own_server, name, client=PatientClient(own_server))
        client.revive = world.revive
        world.people.append(Person(client))
    first = world.people[0].client
    world.room = first.create_room(preset="public_chat", initial_state=[
        {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])
    for person in world.people:
        world.come_back(person)
    for person in world.people:
        world.log_in(person)
    plan = Plan(world, chance)
    with ThreadPoolExecutor(8) as pool:
        for number in range(steps):
            plan.step(pool)
            assert not world.problems, f"--seed {seed}, step {number}: {world.problems}"
    for _ in range(2):
        for holder in world.free(set()):
            world.catch_up(holder)
    assert not world.problems, f"--seed {seed}: {world.problems}"
    owed = [
        (message.text, holder.device) for message in world.messages for holder, presence in message.owed.items()
        if not holder.ended and holder.person.present_since == presence
    ]
    assert not owed, f"--seed {seed}: {owed}"
    read = sum(len(holder.device.texts) for holder in world.holders)
    print(f"{len(world.messages)} messages, read {read} times on {len(world.holders)} devices; {world.fallbacks} fallback keys")
    assert len(world.messages) >= steps / 10 and read > len(world.messages), "nothing was tested"


@pytest.mark.only_chappe(reason="the position that nobody was given is made of one of Chappe's")
@pytest.mark.parametrize("form", ["experimental", "accepted"])
def test_what_changes_between_two_beginnings_is_asked_for(server, alice, bob, form):
    """The answer to a request without a position does not tell whose devices have changed, as with /sync
    (https://github.com/matrix-org/matrix-spec-proposals/pull/4543): a device that begins anew, and loses the answer, must not rely on
    what it has asked for since."""
    watch = World(server, random.Random(0))
    room = alice.create_room(preset="public_chat")
    bob.join(room)
    talker = SlidingOlmDevice(alice, room, watch, form=form)
    talker.publish()
    talker.catch_up()
    talker.since = f"{talker.since}0"
    talker.sync()
    assert talker.since is None, "the position was one that nobody was given"
    talker.say("who is there?")
    listener = OlmDevice(login(server, bob.user), room, watch)
    listener.publish()
    talker.catch_up()
    talker.say("somebody new")
    listener.catch_up()
    assert list(listener.texts.values()) == ["somebody new"] and not watch.problems
