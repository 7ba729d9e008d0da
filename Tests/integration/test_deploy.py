"""What is in Deploy/: each part run with the programs it is for."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from harness.clients import PASSWORD, register
from harness.federation import Authority
from harness.servers import ROOT, chappe_binary, free_port
from test_provisioning import CommandLine

pytestmark = pytest.mark.only_chappe(reason="its own deployment")

DEPLOY = ROOT / "Deploy"


@pytest.fixture(scope="module")
def server(make_server):
    server = make_server("sqlite").start()
    yield server
    server.finish()


def call(*arguments, **options) -> str:
    result = subprocess.run([*map(str, arguments)], capture_output=True, text=True, timeout=120, **options)
    assert result.returncode == 0, f"{arguments}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def test_the_package_installs_a_server(tmp_path):
    package = call(DEPLOY / "package.sh", "--binary", chappe_binary(), "--output", tmp_path, "--compression", "none").strip()
    listed = call("dpkg-deb", "-c", package)
    for name in ("./usr/bin/chappe", "./usr/lib/chappe/backup.sh", "./lib/systemd/system/chappe.service",
                 "./usr/share/doc/chappe/GUIDE.md", "./usr/share/bash-completion/completions/chappe"):
        assert re.search(rf"root/root .* {re.escape(name)}\n", listed), listed
    assert "libvips42" in call("dpkg-deb", "-f", package, "Depends")
    root = tmp_path / "root"
    call("dpkg-deb", "-R", package, root)
    for script in ("postinst", "prerm", "postrm"):
        call("sh", "-n", root / "DEBIAN" / script)
    installed = root / "usr" / "bin" / "chappe"
    call(installed, "init", "--server-name", "deb.example", "--directory", tmp_path / "data", "--config", tmp_path / "chappe.yaml")
    assert "valid" in call(installed, "check-config", "--config", tmp_path / "chappe.yaml")
    completion = (root / "usr/share/bash-completion/completions/chappe").read_text()
    assert "doctor" in completion and "restore" in completion
    shutil.rmtree(root)
    Path(package).unlink()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not there")
def test_the_units_are_valid_and_tight(tmp_path):
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/usr/bin/chappe", "/bin/true").replace("/usr/lib/chappe/backup.sh", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    for unit in sorted(tmp_path.iterdir()):
        # Those of this machine may have flaws of their own.
        said = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)], capture_output=True, text=True)
        assert said.returncode == 0 and unit.name not in said.stderr, said.stderr
    # 0 is everything forbidden, 10 nothing.
    call("systemd-analyze", "security", "--offline=true", "--threshold=20", tmp_path / "chappe.service")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("kind", ["nginx", "caddy", "haproxy"])
def test_a_reverse_proxy(server, authority, tmp_path, kind):
    names = {"nginx": "nginx.conf", "caddy": "Caddyfile", "haproxy": "haproxy.cfg"}
    certificate, key = authority.certificate(tmp_path, "localhost")
    (tmp_path / "chappe.pem").write_text(certificate.read_text() + key.read_text())
    https, federation = free_port(), free_port()
    text = (DEPLOY / names[kind]).read_text()
    for old, new in (("/etc/ssl/chappe/fullchain.pem", certificate), ("/etc/ssl/chappe/privkey.pem", key),
                     ("/etc/ssl/chappe/chappe.pem", tmp_path / "chappe.pem"), ("127.0.0.1:8008", f"127.0.0.1:{server.port}")):
        text = text.replace(old, str(new))
    sample = tmp_path / names[kind]
    if kind == "nginx":
        text = re.sub(r" +listen \[::\].*\n", "", text)
        text = text.replace("listen 443", f"listen 127.0.0.1:{https}").replace("listen 8448", f"listen 127.0.0.1:{federation}")
        sample.write_text(text)
        folders = "\n".join(f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        main = tmp_path / "main.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        main.write_text(f"{user} daemon off; pid {tmp_path}/pid; error_log stderr;\n"
                        f"events {{}}\nhttp {{ access_log off; {folders} include {sample}; }}\n")
        check, command = ["nginx", "-t", "-c", main], ["nginx", "-c", main]
    elif kind == "caddy":
        text = text.replace("matrix.example.gouv.fr, example.gouv.fr, ", f"https://localhost:{https}, ")
        text = text.replace("matrix.example.gouv.fr:8448, example.gouv.fr:8448", f"https://localhost:{federation}")
        sample.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n" + text)
        check = ["caddy", "validate", "--adapter", "caddyfile", "--config", sample]
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", sample]
    else:
        text = text.replace("maxconn 20000", "maxconn 500")
        sample.write_text(text.replace("bind :443", f"bind 127.0.0.1:{https}").replace("bind :8448", f"bind 127.0.0.1:{federation}"))
        check, command = ["haproxy", "-c", "-f", sample], ["haproxy", "-db", "-f", sample]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    call(*check, env=environment)
    with (tmp_path / "log").open("w") as log:
        proxy = subprocess.Popen([*map(str, command)], stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=tmp_path)
    try:
        with httpx.Client(verify=authority.client_context, timeout=20) as client:
            deadline = time.monotonic() + 60
            while True:
                try:
                    if client.get(f"https://localhost:{https}/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                assert proxy.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.1)
            for port in (https, federation):
                assert client.get(f"https://localhost:{port}/_matrix/client/versions").json()["versions"]
            base = f"https://localhost:{https}"
            for hidden in ("/metrics", "/_chappe/admin/v1/users", "/_synapse/admin/v1/register"):
                assert client.get(base + hidden).status_code == 404, hidden
            # Paths go on as they came, and so does what the client says of itself, but for its address.
            alice = register(server, f"alice-{kind}")
            room = alice.create_room()
            where = f"{base}/_matrix/client/v3/rooms/{room.replace('!', '%21').replace(':', '%3A')}/send/m.room.message/a%2Fb"
            field = {"Authorization": f"Bearer {alice.token}", "X-Forwarded-For": "203.0.113.7"}
            assert client.put(where, json={"msgtype": "m.text", "body": "x"}, headers=field).status_code == 200
            uploaded = client.post(f"{base}/_matrix/media/v3/upload", content=b"x" * 3_000_000, headers=field)
            assert uploaded.status_code == 200
            body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": alice.user}, "password": PASSWORD}
            assert client.post(f"{base}/_matrix/client/v3/login", json=body, headers=field).status_code == 200
            entries = CommandLine(server).json("audit", "search", "--action", "session.start", "--subject", alice.user)
            assert json.loads(entries[-1]["entry"])["address"] == "127.0.0.1"
    finally:
        proxy.terminate()
        proxy.wait(30)


def test_the_daily_backup_keeps_some(server, tmp_path):
    environment = {**os.environ, "CHAPPE": chappe_binary(), "KEEP": "2"}
    alice = register(server, "keeper")
    alice.request("POST", "/_matrix/media/v3/upload", content=b"kept" * 1000)
    for _ in range(3):
        call(DEPLOY / "backup.sh", tmp_path / "backups", server.directory / "chappe.yaml", env=environment)
        time.sleep(1)
    kept = sorted((tmp_path / "backups").iterdir())
    assert len(kept) == 2
    assert any(file.stat().st_nlink == 2 for file in kept[1].glob("media/*/*/*")), "files are shared"


def test_the_guide_names_what_there_is(tmp_path):
    readme = (ROOT / "README.md").read_text()
    assert "Deploy/GUIDE.md" in readme
    pages = {name: (DEPLOY / name).read_text() for name in ("GUIDE.md", "UPGRADING.md", "METRICS.md")}
    for name, text in pages.items():
        for file in re.findall(r"[\w.-]+\.(?:conf|cfg|md|json|yaml|sh|service|timer)\b|Caddyfile|Containerfile", text):
            if file in ("chappe.yaml", "chappe.conf", "people.csv") or file.startswith(("man.", "chappe-alerts")):
                continue
            assert list(DEPLOY.rglob(file)) or (ROOT / file).exists(), f"{name} names {file}"
        # Every command that it tells people to type is one.
        for command in set(re.findall(r"(?:^ *|`|&& )chappe ((?:[a-z-]+ ?){1,3})", text, re.M)):
            words = command.split()
            while words and subprocess.run(
                [chappe_binary(), *words, "--help"], capture_output=True).returncode != 0:
                words.pop()
            assert words, f"{name} tells people to type: chappe {command}"
    assert len(pages["GUIDE.md"].splitlines()) < 130, "it is one page"
