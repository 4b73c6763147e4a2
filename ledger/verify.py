"""Checking a whole journal: every frame, checksum, digest, counter and link, and the trial balance, from the first entry on.

Beside it, the files that a start would otherwise read back from the last key checkpoint.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger._core import JournalVerifier, check_segment_numbers
from ledger.errors import JournalDamaged, LedgerNotFound
from ledger.journal import FrameHeader, TornTail, find_end, read_parameters
from ledger.key_checkpoint import check_key_files, complete_directory

STEP_BYTES = 32 << 20
MOST_SEQ = 2**64 - 1

Progress = Callable[[int, int], object]
"""Called with the bytes done and the bytes in all."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was checked.

    ``last_digest`` is the digest of the last full block; ``state_digest`` that of all accounts at the seq which was asked for,
    None where none was, or where no frame ends there; ``torn_tail`` is what a killed writer left behind.
    """

    segments: int
    frames: int
    entries: int
    outcomes: int
    accounts: int
    journal_bytes: int
    records_consumed: int
    events_applied: int
    events_existing: int
    events_refused: int
    debits_fen: int
    credits_fen: int
    last_digest: bytes
    state_digest: int | None
    torn_tail: TornTail | None


def verify_journal(
    directory: Path | str, progress: Progress | None = None, *, state_digest_at: int | None = None
) -> VerifyReport:
    """Read the journal of the shard in ``directory`` and check all of it. Changes nothing; the engine may run meanwhile.

    ``state_digest_at`` is a seq, such as the watermark of balances, at which to take the state digest of all accounts.
    Raises ``JournalDamaged`` at the first thing that is wrong, ``LedgerNotFound``, ``FormatVersionMismatch``.
    """
    folder = Path(directory) / "journal"
    segments = check_segment_numbers(folder)
    if segments == 0:
        raise LedgerNotFound(f"there is no ledger in {directory}")
    total_bytes = sum(path.stat().st_size for path in folder.glob("*.segment"))
    verifier = JournalVerifier(folder)
    state_digest = None
    if state_digest_at is not None:
        _check(verifier, total_bytes, progress, state_digest_at)
        if max(FrameHeader.unpack(verifier.last_frame).last_seq, 0) == state_digest_at:
            state_digest = verifier.state_digest()
    _check(verifier, total_bytes, progress)
    last = FrameHeader.unpack(verifier.last_frame)
    debits_fen, credits_fen = verifier.trial_balance()
    if debits_fen != credits_fen:
        raise JournalDamaged(
            "debits and credits differ",
            segment=segments,
            seq=last.last_seq,
            byte_offset=0,
            expected=debits_fen,
            found=credits_fen,
        )
    if progress is not None:
        progress(total_bytes, total_bytes)
    outcomes, accounts = verifier.counts
    end = find_end(folder)
    return VerifyReport(
        segments=segments,
        frames=last.frame_number,
        entries=max(last.last_seq, 0),
        outcomes=outcomes,
        accounts=accounts,
        journal_bytes=total_bytes,
        records_consumed=last.records_consumed,
        events_applied=last.events_applied,
        events_existing=last.events_existing,
        events_refused=last.events_refused,
        debits_fen=debits_fen,
        credits_fen=credits_fen,
        last_digest=verifier.last_digest,
        state_digest=state_digest,
        torn_tail=end.torn_tail if end else None,
    )


def verify_keys(directory: Path | str) -> int:
    """Read the files of the last key checkpoint of the shard in ``directory``; return how many keys they hold.

    They are sound or not; whether their keys are those of the journal is not looked at. The engine may run meanwhile. Raises
    ``KeyTableDamaged``, ``FormatVersionMismatch``, ``LedgerNotFound``.
    """
    keys = Path(directory) / "keys"
    header = read_parameters(directory)
    while (tables := complete_directory(keys)) is not None:
        try:
            return check_key_files(tables, header.ledger_id, header.hash_seed)
        except FileNotFoundError:
            if complete_directory(keys) == tables:
                raise  # otherwise a new owner of the ledger has moved the tables meanwhile
    return 0


def _check(verifier: JournalVerifier, total_bytes: int, progress: Progress | None, up_to_seq: int = MOST_SEQ) -> None:
    """Check the frames up to the one that ends at ``up_to_seq`` or behind it, or all."""
    while verifier.check_some(STEP_BYTES, up_to_seq):
        if progress is not None:
            progress(min(verifier.bytes_read, total_bytes), total_bytes)
