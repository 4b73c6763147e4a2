"""How far LMDB is behind: from the moment a block is applied until its last entry is readable, by rate and number of accounts."""

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from bench.feeding import PreparedBlock, feed_at_rate, next_blocks, prefilled_engine
from bench.percentiles import delays_s, percentile
from bench.results import Results, new_results
from bench.workload import Workload
from ledger.engine import Engine

BLOCKS_PER_S = 100
POLL_S = 0.0005
# Made for each second of a catch-up: several gigabytes of them took the memory in which LMDB's file has to live.
MOST_EVENTS_PER_S = 2_000_000
CATCH_UP = float("inf")


class WatermarkWatch(AbstractContextManager["WatermarkWatch"]):
    """Notes, on a thread of its own, when the watermark of the balances reached which seq."""

    def __init__(self, engine: Engine) -> None:
        self.seen: list[tuple[float, int]] = []
        self._engine = engine
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watermark")

    def __enter__(self) -> "WatermarkWatch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        last = -1
        while True:
            ended = self._ended.is_set()
            seq = self._engine.projected_seq
            if seq != last:
                self.seen.append((time.perf_counter(), seq))
                last = seq
            if ended:
                return
            time.sleep(POLL_S)


def run(directory: Path, *, households: int, rates: list[float], seconds: float, seed: int = 1) -> Results:
    """Measure ``staleness_p50_ms`` and ``staleness_p99_ms`` at each rate in events/s (``CATCH_UP``: as fast as it goes).

    Each repetition of a measurement is one rate, named in it. Disk taken by LMDB is measured at the end.
    """
    results = new_results("projection", households=households, seconds=seconds)
    workload = Workload(seed=seed, events=10**9, households=households)
    with prefilled_engine(directory, workload) as engine:
        first_event = 0
        prepared: list[PreparedBlock] = []
        for rate in rates:
            events = int(min(rate, MOST_EVENTS_PER_S) * seconds)
            paced = Workload(
                seed=seed,
                events=10**9,
                households=households,
                records_per_batch=4096 if rate == CATCH_UP else max(1, int(rate / BLOCKS_PER_S / 4)),
            )
            prepared.clear()
            prepared += next_blocks(engine, paced, first_event, first_event + events)
            with WatermarkWatch(engine) as watch:
                applied = list(feed_at_rate(engine, prepared, rate))
                engine.wait_projected()
            first_event += events
            delays_ms = [delay * 1000 for delay in delays_s(applied, watch.seen)]
            name = "catchup" if rate == CATCH_UP else f"{rate:.0f}"
            results.add(f"staleness_p50_ms_at_{name}", "ms", percentile(delays_ms, 0.5))
            results.add(f"staleness_p99_ms_at_{name}", "ms", percentile(delays_ms, 0.99))
            results.add(f"staleness_max_ms_at_{name}", "ms", max(delays_ms))
            results.add(f"applied_events_per_s_at_{name}", "events/s", events / (applied[-1][0] - applied[0][0]))
        results.add("lmdb_bytes_per_account", "bytes", disk_bytes(engine.directory / "balances") / engine.status().accounts)
    return results


def disk_bytes(directory: Path) -> int:
    """Return the disk blocks that the files below ``directory`` take; sparse files are longer than that."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())
