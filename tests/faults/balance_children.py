"""What the tests of faults run in processes of their own: ``python -m tests.faults.balance_children FUNCTION DIRECTORY``."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import lmdb

from ledger._core import Projector
from ledger.layouts import ACCOUNT_RECORD
from ledger.projections import generations
from ledger.projections.balances import BalanceReader
from tests.entries import LEDGER_ID, openings, transfer
from tests.waiting import PATIENCE_S

ACCOUNTS = 500
FRAME_ENTRIES = 40
GENERATIONS, SNAPSHOTS, GROWTH_CREDITS = 20, 20, 10


def frame_entries(number: int) -> bytes:
    """Return the entries of frame ``number`` of the one history that all processes know; the first opens the accounts."""
    if number == 1:
        return openings(ACCOUNTS)
    draw = random.Random(number)
    return b"".join(
        transfer(draw.randrange(ACCOUNTS), draw.randrange(ACCOUNTS), draw.randrange(1, 999)) for _ in range(FRAME_ENTRIES)
    )


def first_seq(number: int) -> int:
    return 1 if number == 1 else ACCOUNTS + 1 + (number - 2) * FRAME_ENTRIES


def apply_frames(projector: Projector, last_frame: int) -> None:
    """Apply the history behind what the projector holds, up to a frame."""
    for number in range(projector.applied_frame + 1, last_frame + 1):
        projector.apply_entries(first_seq(number), frame_entries(number))


def flush_for_ever(directory: Path) -> None:
    """Load, say so, then apply and flush a frame at a time."""
    projector = Projector(directory, LEDGER_ID, 1, 10_000)
    projector.load()
    print("ready", flush=True)
    while True:
        apply_frames(projector, projector.applied_frame + 1)
        projector.flush()


def stop_inside_lmdb_txn(directory: Path) -> None:
    """Change a block, stop before the commit as SIGSTOP would have it, commit when continued."""
    path = generations.newest(directory / "balances")
    with lmdb.open(str(path), max_dbs=4, map_size=1 << 26) as env, env.begin(write=True) as txn:
        blocks = env.open_db(b"blocks", txn=txn, integerkey=True, create=False)
        txn.put(bytes(4), bytes(4048), db=blocks)
        print("ready", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    print("committed", flush=True)


def open_readers_all_the_time(directory: Path) -> None:
    """Make a reader and read, again and again, until many generations have come."""
    print("ready", flush=True)
    seen = set()
    while len(seen) < GENERATIONS:
        assert BalanceReader(directory).get("revenue:00001") is not None
        seen.add(generations.newest(directory / "balances"))
    print("done", flush=True)


def hold_a_snapshot(directory: Path) -> None:
    path = generations.newest(directory / "balances")
    with lmdb.open(str(path), max_dbs=4, readonly=True) as env, env.begin():
        print("ready", flush=True)
        time.sleep(600)


def watch_the_sums(directory: Path) -> None:
    """Read all accounts again and again until there were many snapshots; say so, or which is the first that is wrong."""
    reader = BalanceReader(directory)
    print("ready", flush=True)
    seen = set()
    while len(seen) < SNAPSHOTS:
        seq, records = reader._view.records()
        accounts = list(ACCOUNT_RECORD.unpack_all(records))
        debits = sum(account["debits_posted"] for account in accounts)
        credits = sum(account["credits_posted"] for account in accounts)
        greatest = max(account["last_seq"] for account in accounts)
        if debits != credits or greatest != seq:
            print(f"wrong at {seq}: {debits} {credits} {greatest}", flush=True)
            return
        seen.add(seq)
    print("right", flush=True)


def read_one_account_as_the_file_grows(directory: Path) -> None:
    """Follow the watermark until the account has so many credits that no more come; print both."""
    reader = BalanceReader(directory)
    print("ready", flush=True)
    seq = reader.watermark.seq
    while reader.get("revenue:00001").credits_posted < GROWTH_CREDITS and reader.wait_for(seq + 1, PATIENCE_S):
        seq = reader.watermark.seq
    print(reader.watermark.seq, reader.get("revenue:00001").credits_posted, flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
