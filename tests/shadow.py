"""An engine and the oracle fed with the same records, and everything that they keep compared, byte for byte."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ledger._core import BalanceView, build_batch
from ledger.engine import Engine
from ledger.errors import CorruptBatch
from ledger.layouts import JOURNAL_ENTRY, OUTCOME_RECORD, FrameSections, split_frames
from ledger.model import Model, Outcome
from ledger.parameters import LedgerParameters
from ledger.projections.balances import BalanceReader
from ledger.projections.generations import newest
from ledger.projections.rebuild import rebuild_balances
from ledger.state_digest import plain_state_digest
from ledger.verify import verify_journal
from tests.plain_batches import encode_record

Record = tuple[int, bytes | None]  # timestamp_ms, value
SEGMENT_BYTES = 1 << 20
COUNTERS = ("ledger_time_ms", "next_offset", "records_consumed", "events_applied", "events_existing", "events_refused")


def journal_frames(directory: Path) -> list[FrameSections]:
    """Return the frames of a shard's journal, read from its files without the core."""
    segments = sorted((directory / "journal").glob("*.segment"))
    return [frame for segment in segments for frame in split_frames(segment.read_bytes())]


def frame_outcomes(frame: FrameSections) -> list[Outcome]:
    """Return the outcomes of a frame as the oracle has them: without the offset of the payload, which depends on the framing."""
    found = []
    for fields in OUTCOME_RECORD.unpack_all(frame.outcomes):
        start = fields["payload_offset"]
        payload = frame.payload[start : start + fields["payload_bytes"]]
        found.append(Outcome(OUTCOME_RECORD.pack(**fields | {"payload_offset": 0}), payload))
    return found


class ShadowedEngine:
    """Drives both. ``directory`` holds one shard per incarnation: a crash goes on from a copy of what was durable."""

    def __init__(self, directory: Path, parameters: LedgerParameters | None = None) -> None:
        self.directory = directory
        self.parameters = parameters or LedgerParameters()
        self.model = Model(parameters=self.parameters)
        self.incarnation = 0
        self.engine = self._open()

    @property
    def shard(self) -> Path:
        return self.directory / f"events-{self.incarnation}"

    def apply(self, batches: Sequence[Sequence[Record]], *, damaged: bool = False) -> None:
        """Apply batches of records in one block; with ``damaged`` the last of them has a flipped bit, and is quarantined."""
        block, offset = b"", self.model.next_offset
        for position, records in enumerate(batches):
            batch = bytes(build_batch([(None, value, timestamp_ms) for timestamp_ms, value in records], offset))
            if damaged and position == len(batches) - 1:
                batch = batch[:-1] + bytes([batch[-1] ^ 1])
            else:
                self._apply_to_model(records, offset)
            block += batch
            offset += len(records)
        try:
            self.engine.apply(block, offset)
            assert not damaged
        except CorruptBatch as error:
            assert damaged, error
            assert error.numbers["base_offset"] == self.model.next_offset
            self.engine.quarantine_batch(batch, offset)
            self.model.quarantine_batch(batch, offset)

    def redeliver(self, records: Sequence[Record]) -> None:
        """Hand over records at offsets that were consumed before, as after a rebalance; nothing may come of it."""
        first = max(0, self.model.next_offset - len(records))
        batch = build_batch([(None, value, timestamp_ms) for timestamp_ms, value in records], first)
        if first + len(records) <= self.model.next_offset:
            self.engine.apply(batch, first + len(records))

    def skip(self, offsets: int) -> None:
        """Go on over offsets without records."""
        self.model.advance(self.model.next_offset + offsets)
        self.engine.apply(b"", self.model.next_offset)

    def restart(self) -> None:
        """Close cleanly and open again."""
        self.engine.close()
        self.engine = self._open()

    def rebuild(self) -> None:
        """Close cleanly, make the balances anew from the journal, and open again."""
        self.engine.close()
        if self.model.entries:
            rebuild_balances(self.shard)
        self.engine = self._open()

    def crash(self) -> None:
        """Go on from a copy made while the engine ran, as after SIGKILL; what was applied is durable."""
        assert self.engine.wait_durable()
        before = self.shard
        self.incarnation += 1
        shutil.copytree(before, self.shard)
        self.engine.abandon()
        shutil.rmtree(before)
        self.engine = self._open()

    def compare(self) -> None:
        """Compare the journal, the counters, the accounts in LMDB, and their sums."""
        assert self.engine.wait_durable()
        assert self.engine.wait_projected()
        frames = journal_frames(self.shard)
        self._compare_entries(b"".join(frame.entries for frame in frames))
        outcomes = [outcome for frame in frames for outcome in frame_outcomes(frame)]
        for found, expected in zip(outcomes, self.model.outcomes, strict=False):
            assert OUTCOME_RECORD.unpack(found.record) == OUTCOME_RECORD.unpack(expected.record)
            assert found.payload == expected.payload
        assert len(outcomes) == len(self.model.outcomes)
        expected_counters = {name: getattr(self.model, name) for name in COUNTERS}
        if frames:
            assert {name: frames[-1].header[name] for name in COUNTERS} == expected_counters
        assert verify_journal(self.shard).entries == self.model.last_seq
        if self.model.entries:  # the first of them makes the balances
            self._compare_accounts()

    def close(self) -> None:
        with suppress(Exception):
            self.engine.close()

    def _open(self) -> Engine:
        engine = Engine.open(self.shard, parameters=self.parameters, segment_bytes=SEGMENT_BYTES)
        assert engine.next_offset == self.model.next_offset
        assert engine.ledger_time_ms == self.model.ledger_time_ms
        assert engine.applied_seq == self.model.last_seq
        return engine

    def _apply_to_model(self, records: Sequence[Record], offset: int) -> None:
        for delta, (timestamp_ms, value) in enumerate(records):
            record = encode_record(delta, timestamp_ms - records[0][0], None, value)
            length_bytes = next(i for i, byte in enumerate(record) if byte < 0x80) + 1
            self.model.apply_record(value, offset + delta, timestamp_ms, record[length_bytes:])

    def _compare_entries(self, found: bytes) -> None:
        expected = b"".join(self.model.entries)
        if found == expected:
            return
        for seq, (theirs, ours) in enumerate(zip(JOURNAL_ENTRY.unpack_all(found), self.model.entries, strict=False), 1):
            assert (seq, theirs) == (seq, JOURNAL_ENTRY.unpack(ours))
        assert len(found) // JOURNAL_ENTRY.size == len(self.model.entries)

    def _compare_accounts(self) -> None:
        assert self.model.trial_balance() == 0
        generation = newest(self.shard / "balances")
        assert generation
        watermark_seq, records = BalanceView(generation).records()
        assert watermark_seq == self.model.last_seq
        expected = [account.record() for account in self.model.accounts.values()]
        assert records == b"".join(expected)
        assert BalanceReader(self.shard).watermark.state_digest == f"{plain_state_digest(expected):032x}"
        balances = list(BalanceReader(self.shard).items())
        assert sum(balance.balance_fen for balance in balances) == 0
        assert len(balances) == len(self.model.accounts)
