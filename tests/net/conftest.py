"""Servers that end with their test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from afanasy_py.net.server import Dispatch, Server
from tests.net.net_peers import Stub, settings

StartServer = Callable[..., Server]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts servers: `start_server(dispatch, af_setting=..., limits={...})`."""
    servers: list[Server] = []

    def start(
        dispatch: Dispatch | None = None, *, limits: dict[str, Any] | None = None, **values: Any
    ) -> Server:
        server = Server(settings(**values), dispatch or Stub(), "3.4.1", **(limits or {}))
        server.bind()
        server.serve()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop(seconds=0.5)
