"""Commands against a broker that asks for TLS or for a user: what goes through, and what is said when it does not."""

import json
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from ledger.events import encode_json
from peakledger.config import SASL_PASSWORD
from tests.commands import in_a_process
from tests.kafka.broker import HOST, Broker
from tests.kafka.jars import JAVA
from tests.test_replays import PAYMENT
from tests.waiting import PATIENCE_S, wait_until

USER, PASSWORD = "ledger", "open sesame"
PROTOCOLS = ("SASL_PLAINTEXT", "SSL", "SASL_SSL")
MECHANISMS = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}


def keytool(keystore: Path, *arguments: str) -> None:
    common = ["-alias", "broker", "-keystore", str(keystore), "-storetype", "PKCS12", "-storepass", PASSWORD]
    subprocess.run([JAVA.with_name("keytool"), *arguments, *common], check=True, capture_output=True)


def broker_settings(keystore: Path) -> str:
    lines = [
        f"ssl.keystore.location={keystore}",
        "ssl.keystore.type=PKCS12",
        f"ssl.keystore.password={PASSWORD}",
        f"sasl.enabled.mechanisms=PLAIN,{','.join(MECHANISMS)}",
    ]
    modules = "org.apache.kafka.common.security"
    for listener in ("sasl_plaintext", "sasl_ssl"):
        jaas = f"listener.name.{listener}.{{}}.sasl.jaas.config={modules}.{{}} required{{}};"
        lines.append(jaas.format("plain", "plain.PlainLoginModule", f' user_{USER}="{PASSWORD}"'))
        lines += [jaas.format(name.lower(), "scram.ScramLoginModule", "") for name in MECHANISMS]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    """A directory with the broker's key and certificate, ``broker.p12``, and the certificate alone, ``ca.pem``."""
    directory = tmp_path_factory.mktemp("authority")
    key = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", f"san=ip:{HOST}", "-ext", "bc=ca:true"]
    keytool(directory / "broker.p12", *key, "-validity", "36500")
    keytool(directory / "broker.p12", "-exportcert", "-rfc", "-file", str(directory / "ca.pem"))
    (directory / "password").write_text(PASSWORD + "\n")
    return directory


@pytest.fixture(scope="module")
def secure_broker(authority):
    broker = Broker(more_protocols=PROTOCOLS, more_settings=broker_settings(authority / "broker.p12")).start()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    for mechanism in MECHANISMS.values():
        credential = UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
        for done in admin.alter_user_scram_credentials([credential]).values():
            done.result(PATIENCE_S)
        # What the controller has noted, the broker beside it knows a moment later.
        wait_until(lambda mechanism=mechanism: lets_in(broker, mechanism))
    yield broker
    broker.close()


def lets_in(broker: Broker, mechanism: ScramMechanism) -> bool:
    name = next(name for name, value in MECHANISMS.items() if value is mechanism)
    user = {"sasl.mechanism": name, "sasl.username": USER, "sasl.password": PASSWORD, "security.protocol": "SASL_PLAINTEXT"}
    servers = f"{HOST}:{broker.ports['SASL_PLAINTEXT']}"
    try:
        AdminClient({"bootstrap.servers": servers, "log_level": 0} | user).list_topics(timeout=5)
    except KafkaException:
        return False
    return True


def settle(directory: Path, broker: Broker, protocol: str, **settings: str) -> None:
    """Write the settings of a directory."""
    common = {
        "bootstrap_servers": f"{HOST}:{broker.ports[protocol]}",
        "security_protocol": protocol,
        "topic": f"events.{directory.name}",
        "outcomes_topic": f"outcomes.{directory.name}",
        "group": directory.name,
    }
    lines = [f"{key} = {json.dumps(str(value))}\n" for key, value in (common | settings).items()]
    (directory / "peakledger.toml").write_text("".join(lines) + "close_after_days = 36500\nfuture_days = 366\n")


@pytest.mark.parametrize(
    ("protocol", "settings", "environ"),
    [
        ("SASL_PLAINTEXT", {"sasl_username": USER, "sasl_password_file": "{}/password"}, {}),
        ("SASL_SSL", {"sasl_mechanism": "PLAIN", "sasl_username": USER, "ssl_cafile": "{}/ca.pem"}, {SASL_PASSWORD: PASSWORD}),
        (
            "SASL_SSL",
            {
                "sasl_mechanism": "SCRAM-SHA-256",
                "sasl_username": USER,
                "ssl_cafile": "{}/ca.pem",
                "sasl_password_file": "{}/password",
            },
            {},
        ),
        ("SSL", {"ssl_cafile": "{}/ca.pem"}, {}),
    ],
    ids=["SCRAM-SHA-512", "PLAIN over TLS", "SCRAM-SHA-256 over TLS", "TLS"],
)
def test_topics_are_made_events_published_applied_and_answered(secure_broker, authority, tmp_path, protocol, settings, environ):
    settle(tmp_path, secure_broker, protocol, **{key: value.format(authority) for key, value in settings.items()})
    (tmp_path / "events.jsonl").write_bytes(encode_json(PAYMENT))
    for command in (["topics", "create"], ["publish", "events.jsonl"], ["run", "--stop-at-end"]):
        ended = in_a_process(*command, "--json", cwd=tmp_path, **environ)
        assert ended.status == 0, ended.err
    assert (ended.items[0]["events_applied"], ended.items[0]["state"]) == (1, "closed")
    position = json.loads((tmp_path / "peakledger-data" / f"events.{tmp_path.name}-0" / "outcomes.position").read_text())
    assert position["next_frame"] == 2


@pytest.mark.parametrize("command", [["topics", "create"], ["publish", "events.jsonl"], ["run"]], ids=" ".join)
@pytest.mark.parametrize(
    ("protocol", "settings", "message"),
    [
        ("SASL_PLAINTEXT", {"sasl_username": USER}, "it refuses the user: "),
        ("SASL_SSL", {"sasl_username": USER, "ssl_cafile": "{}/ca.pem"}, "it refuses the user: "),
        ("SSL", {}, "its certificate is not trusted: self-signed certificate"),
        ("SASL_PLAINTEXT", {"security_protocol": "PLAINTEXT"}, "it closed the connection; perhaps it asks for TLS, for a user"),
    ],
    ids=["wrong password", "wrong password over TLS", "unknown authority", "no user where one is asked for"],
)
def test_who_is_refused_is_told_why(secure_broker, authority, tmp_path, command, protocol, settings, message):
    settle(tmp_path, secure_broker, protocol, **{key: value.format(authority) for key, value in settings.items()})
    (tmp_path / "events.jsonl").write_bytes(encode_json(PAYMENT))
    ended = in_a_process(*command, cwd=tmp_path, **{SASL_PASSWORD: "wrong password"})
    assert ended.status == 8, ended
    assert message in ended.err
    assert "wrong password" not in ended.err + ended.out
    assert ended.err.count("\n") <= 2, ended.err
