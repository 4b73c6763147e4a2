"""A page of an account's statement out of a long journal: with the journal in the page cache, and with none of it there.

The journal holds a hundred entries a household, spread over all of it, so that a page is a hundred reads in a hundred places. A
page is timed from the lookup of the balance, with which a statement begins, to its last line. A cold one opens the journal anew,
after the system was told to drop what it holds of it.
"""

import os
import time
from pathlib import Path

from bench.feeding import apply_timed, blocks, prefilled_engine
from bench.percentiles import percentile
from bench.results import Results, new_results
from bench.workload import Workload
from ledger.bills import LateChargeRule
from ledger.history import History
from ledger.households import household_bills

PAGE_LINES = 100


def run(directory: Path, *, entries: int, pages: int, seed: int = 1) -> Results:
    """Measure ``warm_page_ms``, ``cold_page_ms`` and ``bills_ms``, ``pages`` of each in turn, and their percentiles.

    ``bills_ms`` is all of a household's bills, worked out from its hundred entries, in the page cache.
    """
    results = new_results("statement", entries=entries, pages=pages, seed=seed)
    workload = Workload(seed=seed, events=entries, households=max(1, entries // PAGE_LINES), duplicates=0.0, refused=0.0)
    with prefilled_engine(directory, workload) as engine:
        apply_timed(engine, blocks(workload, first_offset=engine.next_offset))
        engine.wait_projected()
        results.add("entries", "entries", engine.applied_seq)
        warm, of_bills = History(engine.directory), History(engine.directory)
        for page in range(pages):
            account = f"household:{workload.household(page)}"
            drop_from_page_cache(engine.directory / "journal")
            results.add("cold_page_ms", "ms", page_ms(History(engine.directory), account))
            page_ms(warm, account)
            results.add("warm_page_ms", "ms", page_ms(warm, account))
            results.add("bills_ms", "ms", bills_ms(of_bills, workload.household(page)))
        reads, bytes_read = warm.entries_read, warm.bytes_read
        results.add("reads_per_page", "reads", reads / pages / 2)
        results.add("bytes_read_per_page", "bytes", bytes_read / pages / 2)
    for measured, name in (("warm_page_ms", "warm"), ("cold_page_ms", "cold"), ("bills_ms", "bills")):
        for share, label in ((0.5, "p50"), (0.99, "p99"), (1.0, "max")):
            results.add(f"{name}_{label}_ms", "ms", percentile(results.values(measured), share))
    return results


def page_ms(history: History, account: str) -> float:
    """Read the newest page of an account; return how many milliseconds that took."""
    start = time.perf_counter()
    history.statement(account, limit=PAGE_LINES)
    return (time.perf_counter() - start) * 1000


def bills_ms(history: History, household: str) -> float:
    """Work out the bills of a household; return how many milliseconds that took."""
    start = time.perf_counter()
    household_bills(history, household, LateChargeRule())
    return (time.perf_counter() - start) * 1000


def drop_from_page_cache(directory: Path) -> None:
    """Have the system forget what it caches of the files in ``directory``, so that the next read comes from the disk."""
    for path in directory.iterdir():
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
