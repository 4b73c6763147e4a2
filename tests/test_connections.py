"""Why a broker refuses a connection, in words."""

import asyncio
import socket

from streams import connections


def test_a_broker_that_takes_a_connection_and_says_nothing_is_told_to_be_silent(monkeypatch):
    monkeypatch.setattr(connections, "TIMEOUT_MS", 200)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        assert asyncio.run(connections.refusal(server, {})) == f"{server}: it does not answer within 0.2 seconds"
