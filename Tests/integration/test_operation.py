"""Running a server: certificates and settings that change under it, readiness, metrics, and the doctor."""

import json
import re
import signal
import ssl
import socket
import subprocess
import time

import httpx
import pytest
from harness import mail
from harness.clients import Client, register
from harness.federation import Authority
from harness.servers import ROOT, free_port
from test_calls import relay  # noqa: F401: a fixture
from test_provisioning import CommandLine

pytestmark = pytest.mark.only_chappe(reason="its own operation")

DEPLOY = ROOT / "Deploy"


def wait(condition, what: str):
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def encrypted(make_server, authority, tmp_path):
    """A function that makes a server, not yet started, which is reached by TLS under the name of localhost."""
    servers = []

    def make(**settings):
        port = free_port()
        certificate, key = authority.certificate(tmp_path, "localhost")
        server = make_server("sqlite", settings={
            "server_name": f"localhost:{port}", "public_base_url": f"https://localhost:{port}",
            "federation": {"mode": "open", "trusted_ca": str(authority.certificate_path)},
            "outbound": {"allow_private_addresses": True}, **settings})
        configuration = json.loads((server.directory / "chappe.yaml").read_text())
        configuration["listeners"].append({
            "bind": "127.0.0.1", "port": port, "serves": ["client", "federation", "wellknown"],
            "tls": {"certificate": str(certificate), "key": str(key)}})
        (server.directory / "chappe.yaml").write_text(json.dumps(configuration))
        server.directory.chmod(0o700)
        server.tls_port = port
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.finish()


def configure(server, **settings):
    path = server.directory / "chappe.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def answers(server):
    """Waits for the listener with TLS, which comes after the one that `start` waits for."""

    def is_open() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", server.tls_port)) == 0

    wait(is_open, "the listener with TLS never came")


def log_of(server) -> str:
    return server.log_path.read_text()


def test_reload(encrypted, authority, tmp_path):
    server = encrypted().start()
    answers(server)

    def shown() -> bytes:
        with socket.create_connection(("127.0.0.1", server.tls_port)) as connection:
            with authority.client_context.wrap_socket(connection, server_hostname="localhost") as encrypted:
                return encrypted.getpeercert(binary_form=True)

    def reload(said: str):
        before = log_of(server).count(said)
        server.process.send_signal(signal.SIGHUP)
        wait(lambda: log_of(server).count(said) > before, f"never said: {said}")

    first = shown()
    with httpx.Client(base_url=f"https://localhost:{server.tls_port}", verify=authority.client_context) as kept:
        assert kept.get("/_matrix/client/versions").status_code == 200
        authority.certificate(tmp_path, "localhost")
        assert shown() == first, "nothing is read again unasked"
        reload("certificates read again")
        second = shown()
        assert second != first
        # A certificate that does not belong to its key: the one that is there stays.
        (tmp_path / "federation.key").write_text("no key")
        reload("certificates could not be read")
        assert shown() == second
        assert kept.get("/_matrix/client/versions").status_code == 200, "open connections stay"

    def sign_in() -> int:
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "nobody"}, "password": "x"}
        return httpx.post(server.url + "/_matrix/client/v3/login", json=body).status_code

    assert [sign_in() for _ in range(4)] == [403] * 4
    assert " debug " not in log_of(server)
    configure(server, rate_limits={"enabled": True, "login": {"per_second": 0.001, "burst": 2}}, log={"level": "debug"},
              media={"max_upload_bytes": 1000})
    reload("configuration read again")
    assert "waiting_for_restart=media.max_upload_bytes" in log_of(server)
    assert [sign_in() for _ in range(4)] == [403, 403, 429, 429]
    assert " debug " in log_of(server)
    configure(server, rate_limits={"enabled": "perhaps"})
    reload("the new configuration is refused")
    assert "rate_limits.enabled" in log_of(server).split("is refused")[1]
    assert sign_in() == 429


def test_a_server_that_stops_says_so_first(make_server):
    server = make_server("sqlite", settings={"drain_seconds": 2}).start()
    with httpx.Client(base_url=server.url) as client:
        ready = client.get("/ready")
        assert ready.status_code == 200 and ready.json() == {"status": "ready"}
        server.process.send_signal(signal.SIGTERM)
        wait(lambda: client.get("/ready").status_code == 503, "it never said that it stops")
        assert client.get("/ready").json() == {"status": "draining"}
        assert client.get("/_matrix/client/versions").status_code == 200, "what comes meanwhile is served"
    assert server.process.wait(60) == 0
    server.finish()


def test_metrics_are_those_of_the_dashboard(encrypted):
    server = encrypted().start()
    alice = register(server, "alice")
    alice.say(alice.create_room(), "counted")
    Client(server).get("account", "whoami", expect=401)
    # On a second listener: a sample must not come twice.
    answers(server)
    assert httpx.get(f"https://localhost:{server.tls_port}/ready", verify=False).status_code == 200
    assert httpx.get(server.url + "/ready").status_code == 200
    lines = httpx.get(server.url + "/metrics").text.splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    series = [line.rsplit(" ", 1)[0] for line in samples]
    assert len(series) == len(set(series)), sorted(name for name in series if series.count(name) > 1)
    values = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in samples}
    types = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    names = {name.split("{")[0] for name in series} | types.keys()

    assert values["synapse_storage_events_persisted_events_total"] > 5
    whoami = 'method="GET",servlet="/_matrix/client/v3/account/whoami"'
    assert values[f"synapse_http_server_requests_received_total{{{whoami}}}"] == 1
    assert values[f'synapse_http_server_response_time_seconds_count{{{whoami},tag="",code="401"}}'] == 1
    assert values[f"synapse_http_server_in_flight_requests_count{{{whoami}}}"] == 0
    assert values['synapse_http_server_in_flight_requests_count{method="GET",servlet="/metrics"}'] == 1
    assert values['synapse_http_server_responses_total{method="GET",code="401"}'] == 1
    assert 0 < values["process_cpu_seconds_total"] < 1e6 and values["process_open_fds"] > 5
    assert abs(values["process_start_time_seconds"] - time.time()) < 3600

    metric = r"\b(?:synapse|chappe|process)_\w+"
    queries = [target["expr"] for panel in json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
               for target in panel.get("targets", ())]
    queries += re.findall(r"expr:(.*(?:\n {10}.*)?)", (DEPLOY / "alerts.yaml").read_text())
    asked = {name for query in queries for name in re.findall(metric, query)}
    assert len(asked) > 20 and asked <= names, sorted(asked - names)
    explained = set(re.findall(metric, (DEPLOY / "METRICS.md").read_text()))
    assert types.keys() <= explained, sorted(types.keys() - explained)
    assert explained <= types.keys(), sorted(explained - types.keys())


def test_the_doctor(encrypted, authority, tmp_path, relay):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    mail_files = tmp_path / "mail"
    mail_files.mkdir()
    context.load_cert_chain(*authority.certificate(mail_files, "localhost"))
    smtp_port = free_port()
    smtp = {"host": "localhost", "port": smtp_port, "encryption": "required", "user": "chappe", "password": "right",
            "trusted_ca": str(authority.certificate_path)}
    turn = {"uris": [f"turn:127.0.0.1:{relay}?transport=udp", f"turn:127.0.0.1:{relay}?transport=tcp"], "secret": "x"}
    server = encrypted(mail={"smtp": smtp}, calls={"turn": turn}).start()
    answers(server)
    chappe = CommandLine(server)

    def examine(status: int) -> dict[str, dict]:
        result = chappe("doctor", "--json", status=status)
        return {finding["name"]: finding for finding in json.loads(result.stdout)}

    with mail.running(port=smtp_port, password=b"right", tls_context=context, require_starttls=True) as post:
        found = examine(0)
        assert post.logins == [(b"chappe", b"right")] and not post.envelopes, "nothing is sent"
        bad = {name: finding for name, finding in found.items() if finding["condition"] not in ("ok", "warning", "skipped")}
        assert not bad
        fine = {name for name, finding in found.items() if finding["condition"] == "ok"}
        assert fine >= {
            "configuration", "data directory", "signing key", "database", "server", "names", "public address",
            "well-known for clients", "well-known for servers", "federation", "mail",
            f"certificate of 127.0.0.1:{server.tls_port}", *(f"relay {uri}" for uri in turn["uris"])}, found
        # A mail server whose certificate nobody vouches for.
        configure(server, mail={"smtp": smtp | {"trusted_ca": None}})
        assert examine(1)["mail"]["condition"] == "failed"

    # One thing after the other goes wrong; each is told in a line, with what to do.
    (server.directory / "signing.key").chmod(0o644)
    server.directory.chmod(0o755)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "5",
         "-subj", "/CN=localhost", "-keyout", tmp_path / "federation.key", "-out", tmp_path / "federation.pem"],
        check=True, capture_output=True)
    configure(server, public_base_url="https://localhost:1", calls={"turn": turn | {"uris": ["turn:127.0.0.1:1"]}})
    found = examine(1)
    failed = {name for name, finding in found.items() if finding["condition"] == "failed"}
    assert failed == {"data directory", "signing key", "public address", "well-known for clients", "mail",
                      "relay turn:127.0.0.1:1"}, found
    assert all(found[name]["remedy"] for name in failed)
    assert "chmod 600" in found["signing key"]["remedy"]
    assert "days left" in found[f"certificate of 127.0.0.1:{server.tls_port}"]["detail"]
    lines = chappe("doctor", status=1).stdout.splitlines()
    assert len(lines) == len(found) and all(re.match(r"(OK  |WARN|FAIL|-   )  \S", line) for line in lines)
    server.stop()
    (server.directory / "chappe.db").write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)
    found = {finding["name"]: finding for finding in json.loads(chappe("doctor", "--offline", "--json", status=1).stdout)}
    assert found["server"]["condition"] == "warning" and "start" in found["server"]["remedy"]
    assert found["database"]["condition"] == "failed" and "federation" not in found
