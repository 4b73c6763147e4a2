"""The note of an adjustment: who allowed it and why. Its text is part of the event and of the journal.

Packed it is one byte with the count of persons, then for each person and for the reason one byte with its length and so many
bytes of UTF-8. Zeros fill it up to whole ``packed_leg``s in an event, and to whole ``journal_note``s in the journal.
"""

from typing import NamedTuple, Self

from ledger.outcomes import OutcomeCode

MAX_PERSONS = 4
MAX_PERSON_BYTES = 32
MAX_REASON_BYTES = 200
LEG_BYTES = 80

_GREATEST_BYTE = 255


class Note(NamedTuple):
    """The persons who allowed an adjustment, and its reason. What comes from outside may have a ``fault``."""

    allowed_by: tuple[str, ...]
    reason: str

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read what ``pack`` made, whatever zeros are behind it. Raises ValueError for other bytes."""
        texts, at = [], 1
        for _ in range(data[0] + 1 if data else 1):
            size = data[at] if at < len(data) else _GREATEST_BYTE
            text = data[at + 1 : at + 1 + size]
            if len(text) != size:
                raise ValueError("the note is cut off")
            texts.append(text.decode())
            at += 1 + size
        if any(data[at:]):
            raise ValueError("something follows the note")
        return cls(tuple(texts[:-1]), texts[-1])

    def pack(self) -> bytes:
        """Return the note in whole legs. Of what is far too long, so much is left that it is too long still."""
        persons = self.allowed_by[:_GREATEST_BYTE]
        texts = [_cut(text) for text in (*persons, self.reason)]
        packed = bytes([len(persons)]) + b"".join(bytes([len(text)]) + text for text in texts)
        return packed.ljust(-(-len(packed) // LEG_BYTES) * LEG_BYTES, b"\0")

    def fault(self) -> OutcomeCode:
        """Return the first refusal that the note deserves; ``applied`` where there is none."""
        persons = self.allowed_by
        if not 1 <= len(set(persons)) == len(persons) <= MAX_PERSONS:
            return OutcomeCode.allowance_malformed
        if not all(_is_right(person, MAX_PERSON_BYTES) for person in persons):
            return OutcomeCode.allowance_malformed
        return OutcomeCode.applied if _is_right(self.reason, MAX_REASON_BYTES) else OutcomeCode.reason_malformed


def _cut(text: str) -> bytes:
    return text.encode()[:_GREATEST_BYTE].decode(errors="ignore").encode()


def _is_right(text: str, most_bytes: int) -> bool:
    return 0 < len(text.encode()) <= most_bytes and text.isprintable() and text.strip() == text
