"""Why Kafka refuses a connection: its clients say only that they found no broker."""

import ssl
from collections.abc import Mapping
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed
from aiokafka.protocol.metadata import MetadataRequest

TIMEOUT_MS = 15_000


def connection_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the settings of one of aiokafka's clients that any other one takes too: where to connect to, and how."""
    return {
        name: value
        for name, value in settings.items()
        if name == "bootstrap_servers" or name.startswith(("security_", "ssl_", "sasl_"))
    }


async def refusal(bootstrap_servers: str, settings: Mapping[str, Any]) -> str:
    """Connect to each server in turn; return the last one and why it refused, or nothing where one does not refuse.

    ``settings`` are those of one of aiokafka's clients; of them TLS and SASL count.
    """
    security = {name: value for name, value in settings.items() if name.startswith(("security_", "ssl_", "sasl_"))}
    reason = ""
    for host, port, _ in collect_hosts(bootstrap_servers, randomize=False):
        try:
            connection = await create_conn(host, port, request_timeout_ms=TIMEOUT_MS, **security)
            try:
                await connection.send(MetadataRequest([]))  # a connection alone is given to anybody
            finally:
                connection.close()
        except (OSError, KafkaError) as error:
            reason = f"{host}:{port}: {_reason(error)}"
        else:
            return ""
    return reason


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, SaslAuthenticationFailed):
        return f"it refuses the user: {' '.join(map(str, error.args))}"
    if isinstance(error, KafkaConnectionError):
        return "it closed the connection; perhaps it asks for TLS, for a user, or for our certificate"
    if isinstance(error, TimeoutError):
        return f"it does not answer within {TIMEOUT_MS / 1000:g} seconds"
    return str(error) or type(error).__name__
