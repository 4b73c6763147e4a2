"""Settings: one table, read from a TOML file, the environment and flags. The later of these wins.

``Settings`` is the table. docs/configuration.md shows it, and a test holds the page against it.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from ledger.errors import ConfigurationError

DEFAULT_FILE = Path("peakledger.toml")
PREFIX = "PEAKLEDGER_"
SASL_PASSWORD = "PEAKLEDGER_SASL_PASSWORD"
NOT_SETTINGS = frozenset({"PEAKLEDGER_CONFIG", "PEAKLEDGER_BUILD", SASL_PASSWORD})
_NO_FLAG = {"flag": False}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. A field is a key of the file, ``PEAKLEDGER_`` and the key in capitals, and ``--`` and the key with dashes.

    What concerns security has no flag: a command line is for everybody to see.
    """

    data: Annotated[str, Meta(min_length=1, description="Directory of the ledger: one directory for each shard")] = (
        "peakledger-data"
    )
    stream: Annotated[str, Meta(description="Directory of an embedded stream to use instead of Kafka; empty: Kafka")] = ""
    bootstrap_servers: Annotated[str, Meta(min_length=1, description="Kafka brokers, host:port, separated by commas")] = (
        "localhost:9092"
    )
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="How Kafka is spoken to: in the clear or with TLS, with a user or without", extra=_NO_FLAG),
    ] = "PLAINTEXT"
    ssl_cafile: Annotated[
        str, Meta(description="PEM file of the authorities that brokers are trusted by; empty: the system's", extra=_NO_FLAG)
    ] = ""
    ssl_certfile: Annotated[str, Meta(description="PEM file of our certificate; empty: none is shown", extra=_NO_FLAG)] = ""
    ssl_keyfile: Annotated[
        str, Meta(description="PEM file of our certificate's key; empty: it is in the certificate's", extra=_NO_FLAG)
    ] = ""
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="How the user is proved", extra=_NO_FLAG)
    ] = "SCRAM-SHA-512"
    sasl_username: Annotated[str, Meta(description="Name of the user", extra=_NO_FLAG)] = ""
    sasl_password_file: Annotated[
        str, Meta(description=f"File that holds the user's password; {SASL_PASSWORD} wins over it", extra=_NO_FLAG)
    ] = ""
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$", description="Topic of the events")] = "payments.events"
    outcomes_topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$", description="Topic of the outcomes")] = (
        "payments.outcomes"
    )
    outcomes: Annotated[Literal["all", "refused", "none"], Meta(description="Which outcomes are published")] = "all"
    entries_topic: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9._-]{0,249}$", description="Topic that every applied entry is published to; empty: none is"),
    ] = ""
    balances_topic: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]{0,249}$",
            description="Compacted topic that the balances that changed are published to; empty: none are",
        ),
    ] = ""
    priority: Annotated[
        bool,
        Meta(
            description="Let events of interactive channels go before those of batch channels: "
            "both are published to inlets of the topic, which run releases into it"
        ),
    ] = False
    release_ahead: Annotated[
        int,
        Meta(ge=1, description="Records that batch channels may have in front of an engine when an interactive event arrives"),
    ] = 20_000
    release_window: Annotated[
        int,
        Meta(
            ge=1,
            le=4_000_000,
            description="Records of an inlet that are read ahead and kept in memory for each partition; some 0.5 kB each",
        ),
    ] = 500_000
    group: Annotated[str, Meta(min_length=1, description="Kafka consumer group; its members share the partitions")] = "peakledger"
    encoding: Annotated[Literal["packed", "json", "msgpack"], Meta(description="Encoding that publish writes events in")] = (
        "packed"
    )
    channel_profiles: Annotated[
        str, Meta(description="Directory of profiles (`*.toml`) of channels besides the built-in ones; empty: none")
    ] = ""
    late_charge_permille: Annotated[
        int, Meta(ge=0, le=1000, description="Late charge: thousandths of what of a bill is unpaid, a day behind its due date")
    ] = 1
    late_charge_paid_first: Annotated[
        bool, Meta(description="Let a payment pay the late charge of a bill, once booked, before the bill instead of behind it")
    ] = False
    utc_offset_minutes: Annotated[
        int, Meta(ge=-840, le=840, description="Offset from UTC of the ledger date, fixed when a ledger is made")
    ] = 480
    close_after_days: Annotated[
        int, Meta(ge=1, le=36500, description="Age at which a business date closes, in days, fixed when a ledger is made")
    ] = 400
    future_days: Annotated[
        int, Meta(ge=0, le=366, description="Days that a business date may lie ahead, fixed when a ledger is made")
    ] = 1
    quarantine_corrupt_batches: Annotated[
        bool, Meta(description="Put a record batch whose bytes are damaged into quarantine and go on, instead of stopping there")
    ] = False
    accept_lost_records: Annotated[
        bool,
        Meta(description="Go on where the source begins if it no longer has the records that come next, instead of stopping"),
    ] = False
    max_ahead_s: Annotated[
        float,
        Meta(ge=0, description="Seconds that a record may be dated ahead of the clock; a later one stops its shard; 0: any"),
    ] = 86400
    takeover_after_s: Annotated[
        float,
        Meta(ge=0, description="Seconds to wait for the last writer of a shard that Kafka assigned to us; 0: never take over"),
    ] = 30
    key_memory_mb: Annotated[
        int,
        Meta(
            ge=0,
            description="MiB of memory for keys that each shard takes at its start and keeps ready; some 75 bytes a key",
        ),
    ] = 64
    segment_mb: Annotated[
        int,
        Meta(
            ge=1,
            le=65536,
            description="MiB of a new file of the journal; each shard has one that it writes and one that is ready, zero-filled",
        ),
    ] = 256
    status_interval_s: Annotated[float, Meta(gt=0, description="Seconds between two status lines of run")] = 1


class Setting(msgspec.Struct, frozen=True):
    """One row of the table of settings."""

    key: str
    type: Any
    default: Any
    description: str
    has_flag: bool = True

    @property
    def variable(self) -> str:
        return PREFIX + self.key.upper()

    @property
    def flag(self) -> str:
        """Return the flag; empty where the setting has none."""
        return "--" + self.key.replace("_", "-") if self.has_flag else ""

    @property
    def type_name(self) -> str:
        """Return the type for a person, ``integer from 1 to 36500`` for example."""
        return _type_name(msgspec.json.schema(self.type))


def _type_name(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in sorted(schema["enum"]))
    name = {"string": "text", "boolean": "true or false"}.get(schema["type"], schema["type"])
    bounds = [("from", "minimum"), ("above", "exclusiveMinimum"), ("to", "maximum")]
    return " ".join([name, *(f"{word} {schema[bound]:g}" for word, bound in bounds if bound in schema)])


def table() -> list[Setting]:
    """Return the table of settings in the order in which they are documented."""
    types = get_type_hints(Settings, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(Settings):
        meta = next(item for item in types[field.name].__metadata__ if isinstance(item, Meta))
        rows.append(Setting(field.name, types[field.name], field.default, meta.description or "", meta.extra != _NO_FLAG))
    return rows


_TABLE = {setting.key: setting for setting in table()}


def describe(key: str) -> str:
    """Return the help of a setting's flag."""
    setting = _TABLE[key]
    return f"{setting.description} (default: {setting.default})" if setting.default != "" else setting.description


def choices(key: str) -> list[str]:
    """Return the words that a setting may be; none where it may be any."""
    return sorted(msgspec.json.schema(_TABLE[key].type).get("enum", []))


def load(flags: Mapping[str, object], *, config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings: ``flags`` that are not None before the environment, before the file, before the defaults.

    The file is ``config``, else PEAKLEDGER_CONFIG, else ``peakledger.toml`` of the working directory where there is one.
    Raises ConfigurationError, which names the line of the file, the variable or the flag.
    """
    named = config or (Path(environ["PEAKLEDGER_CONFIG"]) if environ.get("PEAKLEDGER_CONFIG") else None)
    values: dict[str, object] = {}
    if named or DEFAULT_FILE.exists():
        values.update(_from_file(named or DEFAULT_FILE))
    values.update(_from_environment(environ))
    values.update({key: _convert(key, value, _TABLE[key].flag) for key, value in flags.items() if value is not None})
    return msgspec.convert(values, Settings)


def _from_file(path: Path) -> Iterator[tuple[str, object]]:
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}", hint="Name a readable file with --config") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}", hint="The file must be TOML in UTF-8") from error
    for key, value in document.items():
        place = f"{path}, line {_line_of(key, text)}"
        yield _known(key, place), _convert(key, value, f"{place}: {key}")


def _line_of(key: str, text: str) -> int:
    before = re.split(rf"(?m)^[ \t]*\[*[\"']?{re.escape(key)}\b", text, maxsplit=1)[0]
    return before.count("\n") + 1


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    for variable, value in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            key = _known(variable.removeprefix(PREFIX).lower(), variable)
            yield key, _convert(key, value, variable, strict=False)


def _known(key: str, place: str) -> str:
    if key in _TABLE:
        return key
    near = difflib.get_close_matches(key, _TABLE, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Settings are {', '.join(_TABLE)}"
    raise ConfigurationError(f"{place}: there is no setting {key!r}", hint=hint)


def _convert(key: str, value: object, place: str, *, strict: bool = True) -> object:
    setting = _TABLE[key]
    try:
        return msgspec.convert(value, setting.type, strict=strict)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{place}: must be {setting.type_name}, not {value!r}", hint=setting.description) from error
