"""Reads flat JSON objects and flat MessagePack maps and arrays, and nothing else: the reading that the core is held against.

An event has no field that nests, so a nested value is malformed, however deep it goes; so is a value above ``MAX_EVENT_BYTES``.
The usual readers keep the last of two equal keys in silence, which a ledger must not.
"""

import re
from typing import TypeAlias

import msgspec

from ledger.outcomes import OutcomeCode

MAX_EVENT_BYTES = 65536

FlatValue: TypeAlias = str | bytes | int | float | bool | None

_SPACE = r"[ \t\n\r]*"
_STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
_NUMBER = r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_BEGIN = re.compile(rf"{_SPACE}\{{{_SPACE}")
_MEMBER = re.compile(rf"({_STRING}){_SPACE}:{_SPACE}(?:({_STRING})|{_NUMBER}|(true|false|null)){_SPACE}")
_NEXT = re.compile(rf",{_SPACE}")
_END = re.compile(rf"\}}{_SPACE}")
_WORDS: dict[str, FlatValue] = {"true": True, "false": False, "null": None}
_MSGPACK_WORDS: dict[int, FlatValue] = {0xC0: None, 0xC2: False, 0xC3: True}
_MAX_DIGITS = 20
_BEYOND_64_BITS = 100_000_000_000_000_000_000


class Malformed(Exception):
    """The bytes are not what their first byte announces. ``code`` is the refusal."""

    def __init__(self, code: OutcomeCode) -> None:
        super().__init__(code.sentence)
        self.code = code


def read_json(value: bytes) -> list[tuple[str, FlatValue]]:
    """Return the members of a flat JSON object in their order. An integer of more than 20 digits comes as 10**20 or -10**20.

    Raises ``Malformed`` for all that is no JSON (RFC 8259), for nesting, and for text that is not UTF-8 or has a lone surrogate.
    """
    try:
        if len(value) > MAX_EVENT_BYTES:
            raise Malformed(OutcomeCode.json_malformed)
        return _read_json_members(value.decode())
    except (UnicodeDecodeError, msgspec.DecodeError):
        raise Malformed(OutcomeCode.json_malformed) from None


def _read_json_members(text: str) -> list[tuple[str, FlatValue]]:
    members: list[tuple[str, FlatValue]] = []
    at = _after(_BEGIN.match(text))
    end = _END.match(text, at)
    while not end:
        if members:
            at = _after(_NEXT.match(text, at))
        member = _MEMBER.match(text, at)
        at = _after(member)
        assert member is not None
        members.append((_string(member[1]), _json_value(member)))
        end = _END.match(text, at)
    if end.end() != len(text):
        raise Malformed(OutcomeCode.json_malformed)
    return members


def _after(match: re.Match[str] | None) -> int:
    if match is None:
        raise Malformed(OutcomeCode.json_malformed)
    return match.end()


def _string(token: str) -> str:
    return msgspec.json.decode(token, type=str) if "\\" in token else token[1:-1]


def _json_value(member: re.Match[str]) -> FlatValue:
    string, integer, fraction, exponent, word = member.groups()[1:]
    if string is not None:
        return _string(string)
    if word is not None:
        return _WORDS[word]
    if fraction or exponent:
        return 0.0
    return _integer(integer)


def _integer(digits: str) -> int:
    if len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -_BEYOND_64_BITS if digits.startswith("-") else _BEYOND_64_BITS


def read_msgpack_map(value: bytes) -> list[tuple[str, FlatValue]]:
    """Return the members of a flat MessagePack map with string keys in their order. Extension values come as bytes.

    Raises ``Malformed`` for all that is no such map, for nesting, and for strings that are not UTF-8.
    """
    reader = _MsgpackReader(value)
    first = reader.uint(1)
    count = first & 0x0F if first < 0x90 else reader.uint(2 if first == 0xDE else 4)
    members = [(reader.key(), reader.value()) for _ in range(count)]
    reader.end()
    return members


def read_msgpack_array(value: bytes) -> list[FlatValue]:
    """Return the elements of a flat MessagePack array; else as ``read_msgpack_map``."""
    reader = _MsgpackReader(value)
    first = reader.uint(1)
    count = first & 0x0F if first < 0xA0 else reader.uint(2 if first == 0xDC else 4)
    elements = [reader.value() for _ in range(count)]
    reader.end()
    return elements


class _MsgpackReader:
    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_EVENT_BYTES:
            raise Malformed(OutcomeCode.msgpack_malformed)
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise Malformed(OutcomeCode.msgpack_malformed)
        return self._data[self._at - count : self._at]

    def uint(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def string(self, count: int) -> str:
        try:
            return self.take(count).decode()
        except UnicodeDecodeError:
            raise Malformed(OutcomeCode.msgpack_malformed) from None

    def key(self) -> str:
        key = self.value()
        if not isinstance(key, str):
            raise Malformed(OutcomeCode.msgpack_malformed)
        return key

    def end(self) -> None:
        if self._at != len(self._data):
            raise Malformed(OutcomeCode.msgpack_malformed)

    def value(self) -> FlatValue:
        first = self.uint(1)
        if first <= 0x7F or first >= 0xE0:  # fixint
            return first if first <= 0x7F else first - 0x100
        if 0xA0 <= first <= 0xBF:  # fixstr
            return self.string(first & 0x1F)
        if 0xD9 <= first <= 0xDB:  # str 8, 16, 32
            return self.string(self.uint(1 << first - 0xD9))
        if 0xCC <= first <= 0xCF:  # uint 8 to 64
            return self.uint(1 << first - 0xCC)
        if 0xD0 <= first <= 0xD3:  # int 8 to 64
            return int.from_bytes(self.take(1 << first - 0xD0), "big", signed=True)
        return self._unusual(first)

    def _unusual(self, first: int) -> FlatValue:
        if first in _MSGPACK_WORDS:
            return _MSGPACK_WORDS[first]
        if first in (0xCA, 0xCB):  # float 32, 64
            self.take(4 if first == 0xCA else 8)
            return 0.0
        if 0xC4 <= first <= 0xC6:  # bin 8, 16, 32
            return self.take(self.uint(1 << first - 0xC4))
        if 0xC7 <= first <= 0xC9:  # ext 8, 16, 32
            return self.take(self.uint(1 << first - 0xC7) + 1)
        if 0xD4 <= first <= 0xD8:  # fixext
            return self.take((1 << first - 0xD4) + 1)
        raise Malformed(OutcomeCode.msgpack_malformed)  # nested, or 0xC1
