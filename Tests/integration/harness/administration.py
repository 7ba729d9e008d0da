"""Fixtures of the modules that test administration: who administers, and with what. A module imports those that it needs."""

import pytest

from .clients import register_administrator
from .commands import CommandLine
from .synadm import Asker, Synadm


@pytest.fixture(scope="module")
def administrator(server):
    """An administrator of the module's server."""
    client = register_administrator(server, "head.of.it")
    yield client
    client.close()


@pytest.fixture(scope="module")
def synadm(server, administrator, tmp_path_factory):
    """The program that administrators of Synapse use."""
    return Synadm(server, administrator, tmp_path_factory.mktemp("synadm"))


@pytest.fixture(scope="module")
def chappe(server):
    """The server's own commands."""
    return CommandLine(server)


@pytest.fixture
def ask(administrator):
    """Plain requests of the administrator."""
    return Asker(administrator)


@pytest.fixture
def trail(ask):
    """What the audit trail tells of a subject."""
    return ask.trail
