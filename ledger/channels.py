"""The channels that may publish events: the built-in ones, and those that profiles in a directory add.

A channel is a profile, a TOML file, and nothing else. An error names the file, the line, the key, and what to do.
"""

import re
import tomllib
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ledger.channel_profile import Channel, Fee, Limits, PostingRule, SerialForm, Terminal
from ledger.errors import ConfigurationError

__all__ = [
    "BUILT_IN_CHANNELS",
    "Channel",
    "Fee",
    "Limits",
    "PostingRule",
    "SerialForm",
    "Terminal",
    "load_channels",
    "read_profile",
    "rules_digest",
]

HINT = "docs/channels.md describes the keys of a profile"
_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?\$\.?(?P<key>[^`]*)`)?$", re.S)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]+)`")


class ProfileFile(Protocol):
    """A file of a directory or of a package."""

    def read_text(self, encoding: str) -> str: ...


def read_profile(file: ProfileFile, name: str = "") -> Channel:
    """Return the channel of a profile. Raises ConfigurationError with the file (``name``, else its path), line and key."""
    name = name or str(file)
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror}", hint="Name a readable file") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{name}, line {line}: it is not UTF-8", hint="The file must be TOML in UTF-8") from error
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}", hint="The file must be TOML in UTF-8") from error
    try:
        channel = msgspec.convert(_with_serial_form(document), Channel)
    except msgspec.ValidationError as error:
        raise located(name, text, *_problem_and_key(str(error))) from error
    for key, problem in channel.problems():
        raise located(name, text, problem, key)
    return channel


def load_channels(folder: str | Path | None = None) -> tuple[Channel, ...]:
    """Return the built-in channels and those of the profiles (``*.toml``) in ``folder``, by code.

    Raises ConfigurationError where a profile cannot be used, or two channels have one code or name.
    """
    if not folder:
        return BUILT_IN_CHANNELS
    if not Path(folder).is_dir():
        raise ConfigurationError(f"{folder}: no such directory", hint="Name the directory of the channels' profiles")
    added = [(str(path), read_profile(path)) for path in sorted(Path(folder).glob("*.toml"))]
    return _told_apart([("a built-in channel", channel) for channel in BUILT_IN_CHANNELS] + added)


def rules_digest(channels: Iterable[Channel]) -> int:
    """Return the first 8 bytes of the SHA-256 of all that the profiles say about decoding and posting: every frame carries it."""
    said = [
        (
            channel.code,
            channel.name,
            channel.serial_form,
            channel.publishes,
            channel.scope,
            channel.reversal_days,
            channel.limits,
            channel.adjust,
            channel.rules,
        )
        for channel in sorted(channels, key=lambda channel: channel.code)
    ]
    return int.from_bytes(sha256(msgspec.json.encode(said)).digest()[:8], "little")


def _told_apart(channels: Iterable[tuple[str, Channel]]) -> tuple[Channel, ...]:
    """Return the channels in the order of their codes; an error names the profile of the second that has a code or name."""
    known: dict[int | str, str] = {}
    kept = []
    for place, channel in channels:
        for value in (channel.code, channel.name):
            if value in known:
                raise ConfigurationError(
                    f"{place}: {value!r} is the code or name of {known[value]} too", hint="Give the channel another one"
                )
            known[value] = place
        kept.append(channel)
    return tuple(sorted(kept, key=lambda channel: channel.code))


def _with_serial_form(document: dict[str, Any]) -> dict[str, Any]:
    """Put the number of the serial form where its name stands; what is no name stays, and is refused with the rest."""
    form = document.get("serial_form")
    if isinstance(form, str) and form in SerialForm.__members__:
        return document | {"serial_form": SerialForm[form].value}
    return document | ({"serial_form": 0} if "serial_form" in document else {})


def _problem_and_key(message: str) -> tuple[str, str]:
    """Split what msgspec says into the problem and the key that it is about, ``terminals[0].funds`` for example."""
    match = _PLACE.match(message)
    assert match
    problem, key = match["problem"], match["key"] or ""
    if unknown := _UNKNOWN.search(problem):
        return "there is no such key", f"{key}.{unknown['field']}".removeprefix(".")
    if key == "serial_form":
        return f"must be one of {', '.join(SerialForm.__members__)}", key
    if "Invalid enum value" in problem:
        return f"{problem.rpartition(' ')[2]} is not one of {', '.join(_choices(key))}", key
    return problem, key


def _choices(key: str) -> list[str]:
    """Return the values that a key like ``publishes[0]`` or ``terminals[1].funds`` may have."""
    schema, definitions = (found := msgspec.json.schema(Channel)), found["$defs"]
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", key):
        while "$ref" in schema or "anyOf" in schema:
            schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema["anyOf"][0]
        schema = schema["items"] if part[0] == "[" else schema["properties"][part]
    return [str(value) for each in schema.get("anyOf", [schema]) for value in each.get("enum", ()) if value is not None]


def located(name: str, text: str, problem: str, key: str) -> ConfigurationError:
    """Return the error of a profile: its name, the line and the key in its ``text``, what is wrong, and where to look."""
    line = line_of_key(text, key)
    place = f"{name}, line {line}" if line else name
    return ConfigurationError(f"{place}: {key}: {problem}" if key else f"{place}: {problem}", hint=HINT)


def line_of_key(text: str, key: str) -> int:
    """Return the line, from 1, of a key like ``fee.fixed_fen`` or ``terminals[1].funds`` in a TOML text.

    Where it is not there, the line of the innermost of its tables that is; 0 where none is.
    """
    lines = text.splitlines()
    name, found = "", 0
    for part in re.findall(r"[^.\[\]]+|\[\d+\]", key):
        index = int(part[1:-1]) if part[0] == "[" else 0
        name, start = (name, 0) if part[0] == "[" else (part, found)
        pattern = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}[\"']?\s*[\]=]")
        hits = [number for number, line in enumerate(lines[start:], start + 1) if pattern.match(line)]
        if len(hits) <= index:
            break
        found = hits[index]
    return found


BUILT_IN_CHANNELS: tuple[Channel, ...] = _told_apart(
    (file.name, read_profile(file, file.name))
    for file in Path(__file__).with_name("channel_profiles").iterdir()
    if file.name.endswith(".toml")
)
