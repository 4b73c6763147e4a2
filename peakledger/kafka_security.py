"""TLS and SASL: from the settings to what aiokafka's clients take."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka.helpers import create_ssl_context

from ledger.errors import ConfigurationError
from peakledger.config import SASL_PASSWORD, Settings

_SSL_SETTINGS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
_SASL_SETTINGS = ("sasl_username", "sasl_password_file")


def security_of(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the settings of security for any of aiokafka's clients.

    Raises ConfigurationError where a file cannot be used, something is missing, or something is set that the protocol leaves out.
    """
    uses_ssl, uses_sasl = "SSL" in settings.security_protocol.split("_"), settings.security_protocol.startswith("SASL")
    unused = [] if uses_ssl else [name for name in _SSL_SETTINGS if getattr(settings, name)]
    unused += [] if uses_sasl else [name for name in _SASL_SETTINGS if getattr(settings, name)]
    if unused:
        raise ConfigurationError(
            f"{unused[0]} is set, but security_protocol is {settings.security_protocol}",
            hint=f"Set security_protocol to {'SASL_SSL' if unused[0] in _SASL_SETTINGS else 'SSL or SASL_SSL'}",
        )
    security: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if uses_ssl:
        security["ssl_context"] = _ssl_context(settings)
    if uses_sasl:
        security["sasl_mechanism"] = settings.sasl_mechanism
        security["sasl_plain_username"] = _required(settings.sasl_username, "sasl_username is empty", "Set it to the user's name")
        security["sasl_plain_password"] = _password(settings, environ)
    return security


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    for name in _SSL_SETTINGS:
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            raise ConfigurationError(f"{name}: there is no file {path}", hint="Name a file in PEM")
    if settings.ssl_keyfile and not settings.ssl_certfile:
        raise ConfigurationError("ssl_keyfile is set without ssl_certfile", hint="Name the certificate that the key belongs to")
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=settings.ssl_cafile or None,
            certfile=settings.ssl_certfile or None,
            keyfile=settings.ssl_keyfile or None,
            password=_no_passphrase,
        )
        return context
    except (ssl.SSLError, OSError) as error:
        files = ", ".join(path for name in _SSL_SETTINGS if (path := getattr(settings, name)))
        raise ConfigurationError(
            f"No certificates, or no key to them, in {files}: {error}", hint="They must be PEM, the key without a passphrase"
        ) from error


def _no_passphrase() -> str:
    """Stand for the prompt that would otherwise ask the terminal."""
    return ""


def _password(settings: Settings, environ: Mapping[str, str]) -> str:
    if password := environ.get(SASL_PASSWORD):
        return password
    path = _required(settings.sasl_password_file, "There is no password", f"Set {SASL_PASSWORD}, or sasl_password_file")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"sasl_password_file: {path} cannot be read: {error}", hint="Name a readable file") from error


def _required(value: str, problem: str, hint: str) -> str:
    if not value:
        raise ConfigurationError(problem, hint=hint)
    return value
