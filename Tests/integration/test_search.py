"""Searching what has been said."""

import pytest
from harness.waiting import eventually


@pytest.fixture
def room(alice, bob):
    room = alice.create_room(preset="private_chat", invite=[bob.user], name="Gardening", topic="Everything about roses")
    bob.join(room)
    return room


def search(client, term, next_batch=None, **criteria):
    params = {"next_batch": next_batch} if next_batch else None
    body = {"search_categories": {"room_events": {"search_term": term, **criteria}}}
    return client.post("search", json=body, params=params)["search_categories"]["room_events"]


def found(client, term, **criteria):
    return [result["result"]["event_id"] for result in search(client, term, **criteria)["results"]]


@pytest.mark.only_chappe(reason="which words are found is its own choice: beginnings, not stems")
def test_messages_names_and_topics_are_found(alice, bob, room):
    event = alice.say(room, "The tulips, too, are in bloom: Überraschung!")
    alice.say(room, "Nothing of note")
    for term in ("tulips", "TULIPS bloom", "in too are", "tuli", "überraschung", "bloom, tulips"):
        assert found(bob, term) == [event], term
    for term in ("tulips wither", "ulips", "blooms", "", "…"):
        assert found(bob, term) == [], term
    answer = search(bob, "tul")
    assert answer["count"] == 1 and answer["highlights"] == ["tulips"] and answer["results"][0]["rank"] >= 0
    assert [alice.event(room, event)["type"] for event in found(bob, "gardening")] == ["m.room.name"]
    assert [alice.event(room, event)["type"] for event in found(bob, "roses")] == ["m.room.topic"]
    assert found(bob, "roses", keys=["content.body", "content.name"]) == []
    assert found(bob, "tulips", keys=["content.body"]) == [event]


@pytest.mark.only_chappe(reason="Synapse leaves it to its database what a word is")
def test_words_are_found_in_every_script(alice, room):
    greek, chinese, hindi = (alice.say(room, body) for body in ("Καλημέρα κόσμε", "今天天气很好", "नमस्ते दुनिया"))
    assert found(alice, "ΚΑΛΗΜΈΡΑ") == [greek]
    assert found(alice, "天气") == [chinese]
    assert found(alice, "नमस्ते") == [hindi]
    odd = alice.say(room, "o'neill \"quoted\" back\\slash AND OR NOT near* (paren) 'single:* | & !")
    for term in ("o'neill", '"quoted"', "back\\slash", "AND OR NOT", "near*", "(paren", "'single:*", "neill | & !"):
        assert found(alice, term) == [odd], term


@pytest.mark.only_chappe(reason="Synapse does not search rooms that one has left")
def test_only_who_may_read_it_finds_it(alice, bob, carol, room):
    event = alice.say(room, "a secret rendezvous")
    assert found(bob, "rendezvous") == [event]
    assert found(carol, "rendezvous") == []
    bob.leave(room)
    later = alice.say(room, "another rendezvous")
    assert found(bob, "rendezvous") == [event]
    assert found(alice, "rendezvous", order_by="recent") == [later, event]
    bob.post("rooms", room, "forget")
    assert found(bob, "rendezvous") == []
    alice.set_state(room, "m.room.history_visibility", {"history_visibility": "joined"})
    alice.say(room, "a third rendezvous before carol came")
    alice.invite(room, carol)
    carol.join(room)
    answer = search(carol, "third")
    assert answer["results"] == [] and answer["count"] == 0, "that it was said at all is none of her business"


@pytest.mark.only_chappe(reason="Synapse counts what was redacted")
def test_what_is_redacted_is_found_no_more(alice, bob, room):
    event = alice.say(room, "an indiscretion")
    assert found(bob, "indiscretion") == [event]
    alice.put("rooms", room, "redact", event, "r", json={})
    answer = search(bob, "indiscretion")
    assert answer["results"] == [] and answer["count"] == 0


@pytest.mark.only_chappe(reason="Synapse finds what is said in the clear there")
def test_nothing_is_found_in_encrypted_rooms(alice):
    room = alice.create_room(
        name="Hushhush", initial_state=[{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]
    )
    alice.say(room, "in the clear, hushhush, by mistake")
    alice.send(room, {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "hushhush"}, kind="m.room.encrypted")
    assert found(alice, "hushhush") == []


@pytest.mark.only_chappe(reason="Synapse has no pages by rank")
def test_results_are_ordered_and_paged_through(alice, bob, room):
    sent = [alice.say(room, f"number {number} of the pagination") for number in range(7)]
    best = alice.say(room, "pagination pagination pagination")
    everything = [best] + sent[::-1]
    for order in ("recent", "rank"):
        seen, token, counts = [], None, set()
        while True:
            page = search(bob, "pagination", next_batch=token, order_by=order, filter={"limit": 3})
            assert len(page["results"]) <= 3
            counts.add(page["count"])
            seen += [result["result"]["event_id"] for result in page["results"]]
            token = page.get("next_batch")
            if token is None:
                break
        assert counts == {8} and sorted(seen) == sorted(everything) and len(set(seen)) == 8
        assert seen[0] == best
        if order == "recent":
            assert seen == everything
    body = {"search_categories": {"room_events": {"search_term": "pagination"}}}
    alice.refused("M_INVALID_PARAM", 400, "POST", "search", json=body, params={"next_batch": "x"})


def test_filters_count(alice, bob, room):
    other = alice.create_room()
    mine, his, elsewhere = alice.say(room, "filtered"), bob.say(room, "filtered"), alice.say(other, "filtered")
    assert found(alice, "filtered", order_by="recent") == [elsewhere, his, mine]
    assert found(alice, "filtered", order_by="recent", filter={"rooms": [room]}) == [his, mine]
    assert found(alice, "filtered", filter={"not_rooms": [room]}) == [elsewhere]
    assert found(alice, "filtered", filter={"senders": [bob.user]}) == [his]
    assert found(alice, "filtered", filter={"types": ["m.room.topic"]}) == []
    alice.put("user", alice.user, "account_data", "m.ignored_user_list", json={"ignored_users": {bob.user: {}}})
    assert found(alice, "filtered", filter={"rooms": [room]}) == [mine]


@pytest.mark.only_chappe(reason="Synapse gives context unasked")
def test_context_state_and_groups(alice, bob, room):
    before = [alice.say(room, f"before {number}") for number in range(3)]
    event = bob.say(room, "the needle")
    after = [alice.say(room, f"after {number}") for number in range(3)]
    answer = search(
        alice, "needle", event_context={"before_limit": 2, "after_limit": 1, "include_profile": True}, include_state=True,
        groupings={"group_by": [{"key": "room_id"}, {"key": "sender"}]},
    )
    (result,) = answer["results"]
    context = result["context"]
    assert [other["event_id"] for other in context["events_before"]] == before[:0:-1]
    assert [other["event_id"] for other in context["events_after"]] == after[:1]
    assert set(context["profile_info"]) == {alice.user, bob.user}
    earlier = alice.messages(room, limit=1, **{"from": context["start"]})["chunk"]
    assert earlier[0]["event_id"] == before[0]
    assert {event["type"] for event in answer["state"][room]} >= {"m.room.create", "m.room.member", "m.room.name"}
    assert answer["groups"]["room_id"][room]["results"] == [event]
    assert answer["groups"]["sender"][bob.user]["results"] == [event]
    assert "context" not in search(alice, "needle")["results"][0]


def test_relations_are_told_with_results(alice, room):
    event = alice.say(room, "an edited haystack")
    content = {
        "msgtype": "m.text", "body": "* changed", "m.new_content": {"msgtype": "m.text", "body": "changed"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event},
    }
    edit = alice.send(room, content)
    (result,) = search(alice, "haystack")["results"]
    assert result["result"]["unsigned"]["m.relations"]["m.replace"]["event_id"] == edit


@pytest.mark.only_chappe(reason="other error codes")
def test_what_is_wrong_is_refused(alice):
    alice.refused("M_MISSING_PARAM", 400, "POST", "search", json={})
    alice.refused("M_MISSING_PARAM", 400, "POST", "search", json={"search_categories": {"room_events": {}}})
    for criteria in ({"keys": ["content.url"]}, {"order_by": "age"}, {"groupings": {"group_by": [{"key": "type"}]}}):
        body = {"search_categories": {"room_events": {"search_term": "x", **criteria}}}
        alice.refused("M_BAD_JSON", 400, "POST", "search", json=body)
    assert alice.post("search", json={"search_categories": {}}) == {"search_categories": {}}


def test_what_was_said_is_found_after_a_crash(own_server, fresh_name):
    from harness.clients import register

    alice = register(own_server, fresh_name("alice"))
    room = alice.create_room()
    event = alice.say(room, "immediately before the crash")
    own_server.kill()
    own_server.start()
    alice.http.base_url = own_server.url
    eventually(lambda: found(alice, "immediately") == [event], what="the message")
