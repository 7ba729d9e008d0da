"""Signing in at a CAS server, captchas at registration: services outside, run beside the homeserver."""

import html
import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from harness import outside
from harness.clients import PASSWORD, Client, _remember, login, path, register

CLIENT = "https://client.example/app?p=http%3A%2F%2Fserver&loginToken=old#/welcome"


@pytest.fixture(scope="module")
def services():
    with outside.running() as services:
        yield services


@pytest.fixture(scope="module")
def server(make_server, engine, services):
    server = make_server(engine, settings={
        "cas": {"server_url": services.url + "/cas/", "name": "Ministry"},
        "recaptcha": {"siteverify_api": services.url + "/siteverify", "public_key": "public", "private_key": "private"},
    }).start()
    yield server
    assert server.process.poll() is None
    server.end()


@pytest.fixture(autouse=True)
def as_usual(services):
    services.user, services.answer = "ada", None


def get(client, where, **options):
    return client.request("GET", where, token=None, schema=False, expect=None, **options)


def sign_on(server, services, client_url=CLIENT):
    """What a browser is shown that signs in for a client."""
    browser = Client(server)
    answer = get(browser, path("login", "sso", "redirect"), params={"redirectUrl": client_url})
    assert answer.status_code == 302
    where = urlsplit(answer.headers["location"])
    assert f"{where.scheme}://{where.netloc}{where.path}" == services.url + "/cas/login"
    service = parse_qs(where.query)["service"][0]
    return get(browser, services.login(service).removeprefix(server.url))


def token_of(page):
    return html.unescape(re.search(r'href="([^"]*)"', page.text)[1])


def sign_on_and_log_in(server, services, **options):
    page = sign_on(server, services)
    assert page.status_code == 200, page.text
    token = parse_qs(urlsplit(token_of(page)).query)["loginToken"][0]
    return _remember(Client(server), Client(server).post("login", json={"type": "m.login.token", "token": token, **options}))


def test_the_ways_to_log_in(server):
    flows = Client(server).get("login")["flows"]
    assert {flow["type"] for flow in flows} == {"m.login.password", "m.login.sso", "m.login.cas", "m.login.token"}
    assert next(f for f in flows if f["type"] == "m.login.sso")["identity_providers"] == [{"id": "cas", "name": "Ministry"}]


def test_whoever_signs_on_first_gets_an_account(server, services, fresh_name):
    services.user = fresh_name("Ada") + "!"
    first = sign_on_and_log_in(server, services)
    assert first.user == f"@{services.user[:-1].lower()}=21:{server.server_name}"
    again = sign_on_and_log_in(server, services, device_id="SECOND")
    assert (again.user, again.device) == (first.user, "SECOND")
    first.create_room(preset="private_chat")
    first.refused("M_FORBIDDEN", 403, "POST", "login", token=None, json={
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": first.user}, "password": ""})


def test_the_page_before_the_client(server, services):
    page = sign_on(server, services)
    link = urlsplit(token_of(page))
    assert link.netloc == "client.example" and link.fragment == "/welcome"
    query = parse_qs(link.query)
    assert query["p"] == ["http://server"] and len(query["loginToken"]) == 1 and query["loginToken"] != ["old"]
    assert "client.example" in page.text and page.headers["referrer-policy"] == "no-referrer"
    # Two clicks on one link: the token is good once.
    body = {"type": "m.login.token", "token": query["loginToken"][0]}
    Client(server).post("login", json=body)
    Client(server).refused("M_FORBIDDEN", 403, "POST", "login", json=body)


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "data:text/html,x", "no scheme", "", "https://a\nb", "VBScript:x", "https://" + "a" * 5000,
])
def test_addresses_that_lead_nowhere(server, url):
    where = path("login", "sso", "redirect") + "?redirectUrl=" + quote(url, safe="")
    answer = get(Client(server), where)
    assert answer.status_code == 400 and answer.json()["errcode"] in ("M_INVALID_PARAM", "M_MISSING_PARAM")
    # The same where the browser comes back.
    where = path("login", "cas", "ticket") + "?ticket=x&redirectUrl=" + quote(url, safe="")
    assert get(Client(server), where).status_code == 400


def test_markup_in_an_address_is_text(server, services):
    page = sign_on(server, services, 'https://a.example/"><script>x</script>')
    assert page.status_code == 200 and "<script>" not in page.text


def test_providers_are_chosen_by_name(server):
    browser = Client(server)
    for name, status in (("cas", 302), ("other", 404)):
        where = path("login", "sso", "redirect", name)
        browser.request("GET", where, params={"redirectUrl": CLIENT}, token=None, expect=status)
    browser.request("GET", path("login", "sso", "redirect"), params={"redirectUrl": CLIENT}, token=None, expect=302)
    old = get(browser, path("login", "cas", "redirect"), params={"redirectUrl": CLIENT})
    assert old.status_code == 302


def test_a_ticket_is_good_once_and_for_its_service(server, services):
    browser = Client(server)
    service = f"{server.url}/_matrix/client/r0/login/cas/ticket?redirectUrl={quote(CLIENT, safe='')}"
    back = services.login(service).removeprefix(server.url)
    assert get(browser, back).status_code == 200
    assert get(browser, back).status_code == 403
    stolen = services.login("https://elsewhere.example/")
    ticket = parse_qs(urlsplit(stolen).query)["ticket"][0]
    where = path("login", "cas", "ticket") + f"?redirectUrl={quote(CLIENT, safe='')}&ticket={ticket}"
    assert get(browser, where).status_code == 403


SUCCESS = '<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess>%s</cas:authenticationSuccess></cas:serviceResponse>'


@pytest.mark.parametrize("answer", [
    b"", b"not xml", b"<x>", b"yes\nada\n",
    SUCCESS.replace("authenticationSuccess", "authenticationFailure").encode() % b"<cas:user>ada</cas:user>",
    SUCCESS.encode() % b"<cas:user></cas:user>",
    SUCCESS.encode() % b"<cas:user>ada</cas:user><cas:user>bob</cas:user>",
    SUCCESS.encode() % b"<cas:attributes><cas:user>ada</cas:user></cas:attributes>",
    SUCCESS.encode() % b"<user xmlns=''>ada</user>",
    b'<!DOCTYPE a [<!ENTITY u "ada">]>' + SUCCESS.encode() % b"<cas:user>&u;</cas:user>",
    SUCCESS.encode() % b"<cas:user>ada</cas:user>" + b"<more/>",
])
def test_nothing_but_a_whole_success_says_who_it_is(server, services, answer):
    services.answer = answer
    page = sign_on(server, services)
    assert page.status_code == 403 and "loginToken" not in page.text


def test_comments_in_a_name_do_not_cut_it(server, services, fresh_name):
    name = fresh_name("cut")
    services.answer = SUCCESS.encode() % f"<cas:user> {name}<!-- x -->er </cas:user>".encode()
    assert sign_on_and_log_in(server, services).user == f"@{name}er:{server.server_name}"


# Operations that need the user


def delete_device(client, device, auth=None, expect=(200, 401, 403)):
    body = {"auth": auth} if auth else {}
    return client.request("DELETE", path("devices", device), json=body, expect=expect)


def confirm(server, services, session):
    """Goes through the fallback page, signs in, comes back."""
    browser = Client(server)
    page = get(browser, path("auth", "m.login.sso", "fallback", "web"), params={"session": session})
    assert page.status_code == 200
    where = urlsplit(token_of(page))
    service = parse_qs(where.query)["service"][0]
    return get(browser, services.login(service).removeprefix(server.url))


def test_signing_on_confirms_an_operation(server, services, fresh_name):
    services.user = fresh_name("confirm")
    client = sign_on_and_log_in(server, services)
    other = sign_on_and_log_in(server, services)
    challenge = delete_device(client, other.device, expect=401).json()
    assert [flow["stages"] for flow in challenge["flows"]] == [["m.login.sso"]], "there is no password"
    session = challenge["session"]
    assert delete_device(client, other.device, {"session": session}, expect=401)
    page = confirm(server, services, session)
    assert page.status_code == 200 and "onAuthDone" in page.text
    delete_device(client, other.device, {"session": session}, expect=200)
    client.refused("M_NOT_FOUND", 404, "GET", "devices", other.device)


def test_a_password_does_as_well_where_there_is_one(server, services, fresh_name):
    client = register(server, fresh_name("both"))
    services.user = client.user[1:].partition(":")[0]
    other = sign_on_and_log_in(server, services)
    assert other.user == client.user
    challenge = delete_device(client, other.device, expect=401).json()
    assert [flow["stages"] for flow in challenge["flows"]] == [["m.login.password"], ["m.login.sso"]]
    auth = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": client.user},
            "password": PASSWORD, "session": challenge["session"]}
    delete_device(client, other.device, auth, expect=200)


def test_only_the_user_confirms(server, services, fresh_name):
    services.user = fresh_name("mine")
    client = sign_on_and_log_in(server, services)
    other = sign_on_and_log_in(server, services)
    session = delete_device(client, other.device, expect=401).json()["session"]
    services.user = fresh_name("stranger")
    page = confirm(server, services, session)
    assert "Another account" in page.text
    assert delete_device(client, other.device, {"session": session}).status_code == 403
    services.user = client.user[1:].partition(":")[0]
    confirm(server, services, session)
    assert delete_device(client, other.device, {"session": session}).status_code == 403, "begin again"
    client.get("devices", other.device)


def test_there_is_nothing_to_confirm_without_a_session(server):
    page = get(Client(server), path("auth", "m.login.sso", "fallback", "web"), params={"session": "none"})
    assert page.status_code == 404


def test_the_service_does_not_answer(make_server, engine, services):
    server = make_server(engine, settings={"cas": {"server_url": "http://127.0.0.1:1/cas"}}).start()
    try:
        where = path("login", "cas", "ticket") + f"?redirectUrl={quote(CLIENT, safe='')}&ticket=x"
        Client(server).request("GET", where, token=None, schema=False, expect=503)
    finally:
        server.end()


# Captchas


def captcha(client, name, response, session=None):
    auth = {"type": "m.login.recaptcha", "response": response} | ({"session": session} if session else {})
    body = {"username": name, "password": PASSWORD, "auth": auth}
    return client.request("POST", path("register"), json=body, expect=(200, 401))


def test_a_captcha_may_be_solved_where_none_is_needed(server, services, fresh_name):
    services.captchas = {"right"}
    client = Client(server)
    challenge = client.request("POST", path("register"), json={"username": fresh_name()}, expect=401).json()
    assert challenge["params"]["m.login.recaptcha"] == {"public_key": "public"}
    assert [flow["stages"] for flow in challenge["flows"]] == [["m.login.dummy"]]
    answer = captcha(client, fresh_name(), "right").json()
    assert answer["completed"] == ["m.login.recaptcha"]
    wrong = captcha(client, fresh_name(), "wrong").json()
    assert wrong["errcode"] == "M_CAPTCHA_INVALID" and wrong["completed"] == []


def test_registration_can_need_a_captcha(make_server, engine, services, fresh_name):
    services.captchas = {"right"}
    server = make_server(engine, settings={
        "registration": {"captcha": True},
        "recaptcha": {"siteverify_api": services.url + "/siteverify", "public_key": "public", "private_key": "private"},
    }).start()
    try:
        client, name = Client(server), fresh_name()
        challenge = captcha(client, name, "wrong").json()
        assert [flow["stages"] for flow in challenge["flows"]] == [["m.login.recaptcha"]]
        body = {"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
        client.request("POST", path("register"), json=body, expect=401)
        assert captcha(client, name, "right", challenge["session"]).status_code == 200
        assert services.asked[-1] == ("/siteverify", {"secret": "private", "response": "right"})
        login(server, name)
    finally:
        server.end()
