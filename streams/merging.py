"""The order in which the waiting records of two inlets, interactive and batch, are released into the topic of events.

Interactive records go before batch ones; each inlet keeps its own order, but for one thing: before an interactive record go the
batch records of its household that are dated no later. So no two records of a household change places.
"""

import zlib
from collections import deque
from collections.abc import Collection, Iterable
from typing import Final, Self

import msgspec

# (offset in its inlet, timestamp_ms, key, value), as walk_batches makes them: one object a record, without names, for speed.
Record = tuple[int, int, bytes | None, bytes | None]
OFFSET: Final = 0
TIME_MS: Final = 1
KEY: Final = 2


class Released(msgspec.Struct, frozen=True):
    """How far the inlets are released: all below these offsets is, and of the batch inlet what was lifted, which lies above.

    ``lifted`` is a bit for each offset from ``batch_next`` on, the lowest first, compressed: small where few are lifted, and
    bounded by what may be read ahead.
    """

    interactive_next: int = 0
    batch_next: int = 0
    lifted: bytes = b""

    @classmethod
    def of(cls, interactive_next: int, batch_next: int, lifted: Collection[int]) -> Self:
        """Return it for the offsets that were lifted, none of them below ``batch_next``."""
        if not lifted:
            return cls(interactive_next, batch_next)
        bits = bytearray((max(lifted) - batch_next) // 8 + 1)
        for offset in lifted:
            bits[(offset - batch_next) >> 3] |= 1 << (offset - batch_next & 7)
        return cls(interactive_next, batch_next, zlib.compress(bits, 1))

    def lifted_offsets(self) -> set[int]:
        """Return the offsets that were lifted."""
        bits = zlib.decompress(self.lifted) if self.lifted else b""
        return {
            self.batch_next + 8 * place + bit for place, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1
        }


class WaitingBatch:
    """The records of the batch inlet that were read and not yet released, in their order and by household."""

    def __init__(self, next_offset: int, lifted: Iterable[int]) -> None:
        self.read_to = next_offset
        self.newest_ms = -1
        self.lifted = set(lifted)
        self._records: deque[Record] = deque()
        self._by_household: dict[bytes, list[Record]] = {}
        self._of_any_household: deque[Record] = deque()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def next_offset(self) -> int:
        """All records below it are released."""
        return self._records[0][OFFSET] if self._records else self.read_to

    def add(self, records: Iterable[Record], read_to: int) -> None:
        """Take what was read behind all that came before, up to ``read_to``."""
        for record in records:
            self._records.append(record)
            self.newest_ms = max(self.newest_ms, record[TIME_MS])
            if record[OFFSET] in self.lifted:
                continue
            household = record[KEY]
            if household is None:
                self._of_any_household.append(record)
            else:
                self._by_household.setdefault(household, []).append(record)
        self.read_to = read_to
        self._forget_lifted()

    def take_in_turn(self, count: int, before_offset: int) -> list[Record]:
        """Take up to ``count`` records below an offset, the oldest first."""
        taken: list[Record] = []
        while len(taken) < count and self._records and self._records[0][OFFSET] < before_offset:
            taken.append(self._take_first())
        return taken

    def lift(self, household: bytes | None, time_ms: int) -> list[Record]:
        """Take what must go before an interactive record of this key and time.

        A record without a key may be of any household: nothing that came before it is overtaken by it, nor is it by what comes
        later.
        """
        taken = []
        while self._of_any_household and self._of_any_household[0][TIME_MS] <= time_ms:
            taken += self.take_in_turn(len(self._records), self._of_any_household[0][OFFSET] + 1)
        if household is None:
            while self._records and self._records[0][TIME_MS] <= time_ms:
                taken.append(self._take_first())
        elif household in self._by_household:
            taken += self._lift_own(household, time_ms)
        return taken

    def _lift_own(self, household: bytes, time_ms: int) -> list[Record]:
        own = self._by_household[household]
        count = len(own)
        while count and own[count - 1][TIME_MS] > time_ms:
            count -= 1
        taken, own[:count] = own[:count], []
        if not own:
            del self._by_household[household]
        self.lifted.update(record[OFFSET] for record in taken)
        self._forget_lifted()
        return taken

    def _take_first(self) -> Record:
        record = self._records.popleft()
        household = record[KEY]
        if household is None:
            self._of_any_household.popleft()
        else:
            own = self._by_household[household]
            own.pop(0)
            if not own:
                del self._by_household[household]
        self._forget_lifted()
        return record

    def _forget_lifted(self) -> None:
        """Let the first record that waits be one that was not lifted."""
        while self._records and self._records[0][OFFSET] in self.lifted:
            self.lifted.remove(self._records.popleft()[OFFSET])


class Merge:
    """The waiting records of both inlets of a partition."""

    def __init__(self, released: Released) -> None:
        self.batch = WaitingBatch(released.batch_next, released.lifted_offsets())
        self.interactive_read_to = released.interactive_next
        self._interactive: deque[Record] = deque()

    @property
    def interactive_waiting(self) -> int:
        return len(self._interactive)

    @property
    def released(self) -> Released:
        """How far the inlets are released once everything that was taken is."""
        interactive_next = self._interactive[0][OFFSET] if self._interactive else self.interactive_read_to
        return Released.of(interactive_next, self.batch.next_offset, self.batch.lifted)

    def add_interactive(self, records: Iterable[Record], read_to: int) -> None:
        """Take what was read of the interactive inlet behind all that came before, up to ``read_to``."""
        self._interactive.extend(records)
        self.interactive_read_to = read_to

    def take(self, *, at_most: int, room: int, batch_before: int, is_batch_whole: bool) -> list[Record]:
        """Take the records that go next, in their order.

        ``at_most`` bounds the interactive ones, and ``room`` the batch ones that go in their turn; only those below
        ``batch_before`` may. Where not all of the batch inlet was read (``is_batch_whole``), an interactive record waits until a
        later one of the batch inlet was, for its household may have one in between.
        """
        taken: list[Record] = []
        batch, interactive = self.batch, self._interactive
        while interactive and len(taken) < at_most:
            _, time_ms, household, _ = interactive[0]
            if not is_batch_whole and time_ms >= batch.newest_ms:
                return taken + batch.take_in_turn(room, batch.read_to)
            taken += batch.lift(household, time_ms)
            taken.append(interactive.popleft())
        return taken if interactive else taken + batch.take_in_turn(room, batch_before)
