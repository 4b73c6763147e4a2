"""TLS and SASL settings: what clients get, and what is said where they cannot be used."""

import ssl

import pytest

from ledger.errors import ConfigurationError
from peakledger.config import SASL_PASSWORD, Settings
from peakledger.kafka_security import security_of

WITH_SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "ledger"}


def test_in_the_clear_nothing_but_the_protocol_is_set():
    assert security_of(Settings(), {SASL_PASSWORD: "unused"}) == {"security_protocol": "PLAINTEXT"}


def test_the_password_comes_from_the_environment_or_from_a_file(tmp_path):
    (tmp_path / "password").write_text("from the file\n")
    settings = Settings(**WITH_SASL, sasl_password_file=str(tmp_path / "password"))
    assert security_of(settings, {}) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ledger",
        "sasl_plain_password": "from the file",
    }
    assert security_of(settings, {SASL_PASSWORD: "from the environment"})["sasl_plain_password"] == "from the environment"


def test_with_tls_brokers_are_trusted_by_the_authorities_of_the_system_and_their_names_are_checked():
    context = security_of(Settings(security_protocol="SSL"), {})["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"sasl_username": "ledger"},
            "sasl_username is set, but security_protocol is PLAINTEXT. Set security_protocol",
        ),
        ({**WITH_SASL, "ssl_cafile": "ca.pem"}, "ssl_cafile is set, but security_protocol is SASL_PLAINTEXT"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "sasl_username is empty"),
        (WITH_SASL, f"There is no password. Set {SASL_PASSWORD}, or sasl_password_file"),
        ({**WITH_SASL, "sasl_password_file": "nowhere"}, "sasl_password_file: nowhere cannot be read"),
        ({"security_protocol": "SSL", "ssl_cafile": "nowhere.pem"}, "ssl_cafile: there is no file nowhere.pem"),
        ({"security_protocol": "SSL", "ssl_cafile": __file__}, "No certificates, or no key to them, in "),
        ({"security_protocol": "SSL", "ssl_keyfile": __file__}, "ssl_keyfile is set without ssl_certfile"),
    ],
)
def test_what_cannot_be_used_is_named(settings, message):
    with pytest.raises(ConfigurationError) as raised:
        security_of(Settings(**settings), {})
    assert message in str(raised.value)
