"""Digests and proofs made from a journal. ``ledger/proofs.py`` checks them without one; docs/proofs.md defines both."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ledger._core import EntryReader, JournalReader
from ledger.errors import JournalDamaged, LedgerNotFound, NotFound
from ledger.journal import FrameHeader, find_end
from ledger.layouts import JOURNAL_ENTRY, NO_SLOT
from ledger.merkle import (
    BEFORE_FIRST_BLOCK,
    ENTRIES_PER_BLOCK,
    ENTRIES_PER_LEAF,
    block_count,
    chained_hash,
    leaf_hash,
    path_to_root,
    published_digest,
    tree_root,
)
from ledger.proofs import Entry, Leaf, Proof, event_entries, unpack_entry
from ledger.record_enums import EntryKind

_OPENING_PLACE = 72  # of the two slots in a journal_entry


@dataclass(frozen=True, slots=True)
class JournalDigest:
    """The digest over the entries 1 to ``last_seq``, in ``blocks`` blocks: the same for all ledgers made from the same events."""

    last_seq: int
    blocks: int
    digest: bytes


def digest_at(shard_directory: Path | str, last_seq: int | None = None) -> JournalDigest:
    """Return the digest over a shard's entries up to ``last_seq``, or up to the last that is durable.

    Reads the chained hashes that the frames carry, one for 4,096 entries, and trusts them: ``verify_journal`` checks all. Raises
    LedgerNotFound, NotFound where the journal does not reach so far, JournalDamaged.
    """
    return _Hashes(shard_directory, last_seq).digest()


def prove(shard_directory: Path | str, seq: int, last_seq: int | None = None) -> Proof:
    """Return a proof of the event that the entry ``seq`` is of, against the digest at ``last_seq``, or at the last durable entry.

    Searches the journal for the entries that opened the event's accounts. Raises as ``digest_at``.
    """
    hashes = _Hashes(shard_directory, last_seq)
    if not 0 < seq <= hashes.last_seq:
        raise NotFound(
            f"There is no entry {seq} up to entry {hashes.last_seq}", hint="Choose a digest behind the event's entries"
        )
    own = _entries_of_event(hashes, seq)
    if own[-1].seq > hashes.last_seq:
        raise NotFound("The event ends behind the digest", last_seq=hashes.last_seq, seq=own[-1].seq)
    openings = _find_openings(Path(shard_directory), {slot for entry in own for slot in entry.slots}, own[-1].seq)
    numbers = {(seq - 1) // ENTRIES_PER_LEAF for seq in [*(entry.seq for entry in own), *openings]}
    leaves = tuple(hashes.leaf(number) for number in sorted(numbers))
    return Proof(hashes.last_seq, hashes.digest().digest, own[0].seq, leaves)


class _Hashes:
    """The hashes over a journal as if it ended with ``last_seq``."""

    def __init__(self, shard_directory: Path | str, last_seq: int | None) -> None:
        folder = Path(shard_directory) / "journal"
        durable_seq = _durable_seq(folder)
        self.last_seq = durable_seq if last_seq is None else last_seq
        if not 0 < self.last_seq <= durable_seq:
            raise NotFound(f"The journal has no entry {self.last_seq}", hint=f"Its last one is {durable_seq}")
        self._entries = EntryReader(folder)
        full = self.last_seq // ENTRIES_PER_BLOCK
        self._chained = [self._stored(block) for block in range(full)]
        if full < block_count(self.last_seq):
            self._chained.append(chained_hash(self._before(full), tree_root(self._leaf_hashes(full))))

    def digest(self) -> JournalDigest:
        return JournalDigest(self.last_seq, len(self._chained), published_digest(self.last_seq, tree_root(self._chained)))

    def entry(self, seq: int) -> bytes:
        data = self._entries.read_entry(seq)
        if data is None:
            raise JournalDamaged("An entry is missing", seq=seq)
        return data

    def leaf(self, number: int) -> Leaf:
        """Return a leaf, numbered from 0 through all blocks, with its paths. Raises JournalDamaged if they do not lead up."""
        block, index = divmod(number, ENTRIES_PER_BLOCK // ENTRIES_PER_LEAF)
        hashes = self._leaf_hashes(block)
        if chained_hash(self._before(block), tree_root(hashes)) != self._chained[block]:
            raise JournalDamaged("The entries of a block do not have its digest", block=block, seq=block * ENTRIES_PER_BLOCK + 1)
        first_seq = number * ENTRIES_PER_LEAF + 1
        return Leaf(
            first_seq,
            tuple(map(self.entry, range(first_seq, min(first_seq + ENTRIES_PER_LEAF, self.last_seq + 1)))),
            tuple(path_to_root(hashes, index)),
            self._before(block),
            tuple(path_to_root(self._chained, block)),
        )

    def _stored(self, block: int) -> bytes:
        data = self._entries.read_digest(block)
        if data is None:
            raise JournalDamaged("The digest of a block is missing", block=block)
        return data

    def _before(self, block: int) -> bytes:
        return self._chained[block - 1] if block else BEFORE_FIRST_BLOCK

    def _leaf_hashes(self, block: int) -> list[bytes]:
        first_seq = block * ENTRIES_PER_BLOCK + 1
        end = min(first_seq + ENTRIES_PER_BLOCK, self.last_seq + 1)
        return [
            leaf_hash(b"".join(map(self.entry, range(seq, min(seq + ENTRIES_PER_LEAF, end)))))
            for seq in range(first_seq, end, ENTRIES_PER_LEAF)
        ]


def _durable_seq(folder: Path) -> int:
    end = find_end(folder)
    if end is None:
        raise LedgerNotFound(f"there is no ledger in {folder.parent}")
    last_seq = FrameHeader.unpack(end.last_frame).last_seq if end.last_frame else 0
    if not last_seq:
        raise NotFound(f"The journal of {folder.parent.name} has no entries yet")
    return last_seq


def _entries_of_event(hashes: _Hashes, seq: int) -> list[Entry]:
    """Return the entries of the event that the entry ``seq`` is of."""
    entry = unpack_entry(seq, hashes.entry(seq))
    first = entry
    while first.leg_count and (first.leg or first.kind == EntryKind.release):
        first = unpack_entry(first.seq - 1, hashes.entry(first.seq - 1))
    entries, following = {first.seq: first}, first
    while following.seq < hashes.last_seq and (following is first or following.belongs_to(first)):
        following = unpack_entry(following.seq + 1, hashes.entry(following.seq + 1))
        entries[following.seq] = following
    return list(event_entries(entries, first.seq))


def _find_openings(shard_directory: Path, slots: Iterable[int], last_seq: int) -> list[int]:
    """Return the seqs of the entries that opened accounts, looking for them from the first entry on."""
    wanted = {slot.to_bytes(4, "little") + NO_SLOT.to_bytes(4, "little") for slot in slots}
    found: list[int] = []
    for frame in JournalReader(shard_directory / "journal", follow=True):
        if not wanted or frame.first_seq > last_seq:
            break
        entries = bytes(frame.entries)
        for pattern in list(wanted):
            index = _opening_with(entries, pattern)
            if index is not None:
                wanted.remove(pattern)
                found.append(frame.first_seq + index)
    if wanted:
        raise JournalDamaged("The entry that opened an account is missing", seq=last_seq)
    return found


def _opening_with(entries: bytes, slots: bytes) -> int | None:
    """Return the index of the entry that opens an account whose two slots are these bytes."""
    at = entries.find(slots)
    while at >= 0:
        index, place = divmod(at, JOURNAL_ENTRY.size)
        if (
            place == _OPENING_PLACE
            and unpack_entry(0, entries[at - place : at - place + JOURNAL_ENTRY.size]).kind == EntryKind.open_account
        ):
            return index
        at = entries.find(slots, at + 1)
    return None
