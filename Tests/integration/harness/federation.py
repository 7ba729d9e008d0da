"""Servers that federate: a private certificate authority, TLS listeners on loopback, and pairs of servers.

A server is named for the address it listens on (`localhost:PORT` or `127.0.0.1:PORT`), so that no name needs to be looked
up anywhere; between that address and the server stands a `Gate`.
"""

import base64
import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .gate import Gate
from .servers import Chappe, Server, Synapse, free_port, merged

#: By turns, since a certificate for an address and one for a name are checked in different ways.
HOSTS = ("localhost", "127.0.0.1")

ROOM_VERSIONS = tuple(str(number) for number in range(1, 13))


class Authority:
    """A certificate authority of its own for a test run."""

    def __init__(self, directory: Path):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate_path = directory / "ca.pem"
        self._key = directory / "ca.key"
        self._openssl(
            "req", "-x509", *self._new_key(self._key), "-days", "30", "-subj", "/CN=Authority of the tests",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-out", self.certificate_path,
        )
        #: What a client needs that trusts this authority alone.
        self.client_context = ssl.create_default_context(cafile=str(self.certificate_path))

    @staticmethod
    def _openssl(*arguments) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    @staticmethod
    def _new_key(path: Path) -> tuple:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path)

    def certificate(self, directory: Path, host: str) -> tuple[Path, Path]:
        """Makes a certificate for a name or an address; returns its file and that of its key."""
        kind = "IP" if host[0].isdigit() else "DNS"
        certificate, key = directory / "federation.pem", directory / "federation.key"
        self._openssl(
            "req", "-x509", *self._new_key(key), "-days", "30", "-subj", f"/CN={host}", "-out", certificate,
            "-CA", self.certificate_path, "-CAkey", self._key,
            "-addext", f"subjectAltName={kind}:{host}", "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "extendedKeyUsage=serverAuth,clientAuth",
        )
        return certificate, key


class Federating:
    """What makes a `Server` federate; stands before it among the base classes."""

    def __init__(
        self, directory: Path, database: str, authority: Authority, host: str = "localhost", settings: dict | None = None,
        gated: bool = True,
    ):
        """`gated=False` leaves the gate out, for measurements."""
        self.authority = authority
        self.federation_port = free_port()
        self.gate = Gate(self.federation_port, free_port()) if gated else None
        self.server_name = f"{host}:{self.gate.port if self.gate else self.federation_port}"
        seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
        self.signing_key = f"ed25519 tests {seed}"
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate_path, self.key_path = authority.certificate(directory, host)
        super().__init__(directory, database, settings)

    def finish(self) -> None:
        if self.gate:
            self.gate.remove()
        super().finish()


class FederatingChappe(Federating, Chappe):
    """Chappe with a second listener, for federation."""

    def configuration(self) -> dict:
        base = super().configuration()
        listener = {
            "bind": "127.0.0.1", "port": self.federation_port, "serves": ["federation"],
            "tls": {"certificate": str(self.certificate_path), "key": str(self.key_path)},
        }
        return merged(base, {
            "listeners": [*base["listeners"], listener],
            "federation": {"mode": "open", "trusted_ca": str(self.authority.certificate_path), "public_rooms": True,
                "retry": {"first_milliseconds": 500, "longest_milliseconds": 2_000}},
            "outbound": {"allow_private_addresses": True},
            "public_rooms": {"without_login": True},
        })


class FederatingSynapse(Federating, Synapse):
    """Synapse with a second listener, for federation, and with the patience of a test."""

    def configuration(self) -> dict:
        base = super().configuration()
        listener = {
            "port": self.federation_port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": True,
            "resources": [{"names": ["federation", "media"], "compress": False}],
        }
        return merged(base, {
            "listeners": [*base["listeners"], listener],
            "tls_certificate_path": str(self.certificate_path),
            "tls_private_key_path": str(self.key_path),
            "federation_custom_ca_list": [str(self.authority.certificate_path)],
            "federation_client_minimum_tls_version": "1.2",
            "ip_range_blacklist": [],
            "federation_ip_range_blacklist": [],
            "allow_public_rooms_over_federation": True,
            "allow_public_rooms_without_auth": True,
            "allow_profile_lookup_over_federation": True,
            "allow_device_name_lookup_over_federation": True,
            "federation": {
                "client_timeout": 20_000,
                "max_long_retry_delay": 500, "max_long_retries": 2,
                "max_short_retry_delay": 200, "max_short_retries": 2,
                "destination_min_retry_interval": 500,
                "destination_retry_multiplier": 1.5,
                "destination_max_retry_interval": 2_000,
            },
            "rc_federation": {
                "window_size": 1000, "sleep_limit": 1_000_000, "sleep_delay": 0, "reject_limit": 1_000_000, "concurrent": 100,
            },
            "rc_third_party_invite": {"per_second": 1_000_000, "burst_count": 1_000_000},
            "federation_rr_transactions_per_room_per_second": 1_000,
        })


FEDERATING: dict[str, type[Server]] = {kind.kind: kind for kind in (FederatingChappe, FederatingSynapse)}


@dataclass(frozen=True)
class Pair:
    """Two servers that federate: the rooms are made `here`, and joined from `there`."""

    here: Server
    there: Server

    @property
    def both(self) -> tuple[Server, Server]:
        return self.here, self.there


def room_versions(kinds: tuple[str, str]) -> tuple[str, ...]:
    """The room versions worth testing between two kinds of server: each set of rules once with others, all with ourselves."""
    return ROOM_VERSIONS if len(set(kinds)) == 1 else ("6", "10", "11", "12")
