"""Reads JSON objects, MessagePack maps and arrays, and nothing else: the reading that the core is held against.

A ledger event nests four deep: event, list of legs, leg, and in it a list of flags or the name of a hold. What nests deeper is
malformed at its first bracket, however deep it goes; so is a value above ``MAX_EVENT_BYTES``. The usual readers keep the last of
two equal keys in silence, which a ledger must not.
"""

import re
from typing import TypeAlias

import msgspec

from ledger.outcomes import OutcomeCode

MAX_EVENT_BYTES = 262_144  # 254 legs with all their fields take half of it
MAX_DEPTH = 4

FlatValue: TypeAlias = str | bytes | int | float | bool | None
Value: TypeAlias = "FlatValue | list[Value] | dict[str, Value]"

_SPACE = r"[ \t\n\r]*"
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"')
_NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_PUNCTUATION = {sign: re.compile(rf"{_SPACE}{re.escape(sign)}{_SPACE}") for sign in "[]{},:"}
_WORDS: dict[str, FlatValue] = {"true": True, "false": False, "null": None}
_MSGPACK_WORDS: dict[int, FlatValue] = {0xC0: None, 0xC2: False, 0xC3: True}
_MAX_DIGITS = 20
_BEYOND_64_BITS = 100_000_000_000_000_000_000


class Malformed(Exception):
    """The bytes are not what their first byte announces. ``code`` is the refusal."""

    def __init__(self, code: OutcomeCode) -> None:
        super().__init__(code.sentence)
        self.code = code


def read_json(value: bytes) -> dict[str, Value]:
    """Return the members of a JSON object by name. An integer of more than 20 digits comes as 10**20 or -10**20.

    Raises ``Malformed`` for all that is no JSON (RFC 8259), for what nests too deep, for text that is not UTF-8 or has a lone
    surrogate, and, of what is right otherwise, for a name that an object has twice.
    """
    try:
        if len(value) > MAX_EVENT_BYTES:
            raise Malformed(OutcomeCode.json_malformed)
        return _JsonReader(value.decode()).whole_object()
    except (UnicodeDecodeError, msgspec.DecodeError):
        raise Malformed(OutcomeCode.json_malformed) from None


class _JsonReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._has_doubled_name = False

    def whole_object(self) -> dict[str, Value]:
        self.take("{")
        members = self.members(1)
        if self._at != len(self._text):
            raise Malformed(OutcomeCode.json_malformed)
        if self._has_doubled_name:
            raise Malformed(OutcomeCode.field_duplicated)
        return members

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return match

    def take(self, sign: str) -> None:
        if not self.match(_PUNCTUATION[sign]):
            raise Malformed(OutcomeCode.json_malformed)

    def string(self) -> str | None:
        match = self.match(_STRING)
        if match is None:
            return None
        return msgspec.json.decode(match[0], type=str) if "\\" in match[0] else match[0][1:-1]

    def members(self, depth: int) -> dict[str, Value]:
        named: dict[str, Value] = {}
        count = 0
        while not (count == 0 and self.match(_PUNCTUATION["}"])):
            name = self.string()
            if name is None:
                raise Malformed(OutcomeCode.json_malformed)
            self.take(":")
            named[name] = self.value(depth)
            count += 1
            if self.match(_PUNCTUATION["}"]):
                break
            self.take(",")
        self._has_doubled_name |= len(named) != count
        return named

    def elements(self, depth: int) -> list[Value]:
        elements: list[Value] = []
        while not (not elements and self.match(_PUNCTUATION["]"])):
            elements.append(self.value(depth))
            if self.match(_PUNCTUATION["]"]):
                break
            self.take(",")
        return elements

    def value(self, depth: int) -> Value:
        string = self.string()
        if string is not None:
            return string
        if number := self.match(_NUMBER):
            return 0.0 if number[2] or number[3] else _integer(number[1])
        if word := self.match(_WORD):
            return _WORDS[word[0]]
        if depth < MAX_DEPTH and self.match(_PUNCTUATION["{"]):
            return self.members(depth + 1)
        if depth < MAX_DEPTH and self.match(_PUNCTUATION["["]):
            return self.elements(depth + 1)
        raise Malformed(OutcomeCode.json_malformed)


def _integer(digits: str) -> int:
    if len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -_BEYOND_64_BITS if digits.startswith("-") else _BEYOND_64_BITS


def read_msgpack(value: bytes) -> dict[str, Value] | list[Value]:
    """Return the members of a MessagePack map with string keys by name, or the elements of an array. Extensions come as bytes.

    Raises ``Malformed`` for all else, and as ``read_json`` does.
    """
    reader = _MsgpackReader(value)
    read = reader.value(0)
    reader.end()
    if not isinstance(read, dict | list):
        raise Malformed(OutcomeCode.msgpack_malformed)
    return read


class _MsgpackReader:
    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_EVENT_BYTES:
            raise Malformed(OutcomeCode.msgpack_malformed)
        self._data = data
        self._at = 0
        self._has_doubled_name = False

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

    def end(self) -> None:
        if self._at != len(self._data):
            raise Malformed(OutcomeCode.msgpack_malformed)
        if self._has_doubled_name:
            raise Malformed(OutcomeCode.field_duplicated)

    def members(self, count: int, depth: int) -> dict[str, Value]:
        named: dict[str, Value] = {}
        for _ in range(count):
            name = self.value(MAX_DEPTH)
            if not isinstance(name, str):
                raise Malformed(OutcomeCode.msgpack_malformed)
            named[name] = self.value(depth)
        self._has_doubled_name |= len(named) != count
        return named

    def value(self, depth: int) -> Value:
        """Read the value that follows inside ``depth`` maps and arrays."""
        first = self.uint(1)
        if depth < MAX_DEPTH and (0x80 <= first <= 0x8F or first in (0xDE, 0xDF)):  # map
            return self.members(first & 0x0F if first < 0x90 else self.uint(2 if first == 0xDE else 4), depth + 1)
        if depth < MAX_DEPTH and (0x90 <= first <= 0x9F or first in (0xDC, 0xDD)):  # array
            count = first & 0x0F if first < 0xA0 else self.uint(2 if first == 0xDC else 4)
            return [self.value(depth + 1) for _ in range(count)]
        return self.flat_value(first)

    def flat_value(self, first: int) -> FlatValue:
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
        raise Malformed(OutcomeCode.msgpack_malformed)  # nested too deep, or 0xC1
