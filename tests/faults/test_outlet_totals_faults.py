"""A shard that is killed again and again: the totals of its outlets are those of plain Python, and a rebuild changes nothing."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench.workload import Workload
from ledger._core import JournalReader
from ledger.event_fields import format_date
from ledger.projections.lmdb_projection import rebuild_projection
from ledger.projections.outlet_totals import OutletTotal, OutletTotals
from streams.embedded import EmbeddedStream
from tests.plain_outlet_totals import totals_of

KILLS = 5
BATCHES_A_ROUND = 60
CHUNK_INTERVAL_S = 0.02
WORKLOAD = Workload(seed=11, events=KILLS * BATCHES_A_ROUND * 64, households=500, records_per_batch=64, duplicates=0.05)


def start(directory: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "peakledger", "run", "--topic", "events", "--outcomes", "none", "--max-ahead-s", "0"]
    places = ["--stream", str(directory / "stream"), "--data", str(directory / "data")]
    return subprocess.Popen([*command, *places, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_totals_survive_kills_at_any_instant(tmp_path):
    shard, instants = tmp_path / "data" / "events-0", random.Random(7)
    batches = [batch for batch, _ in WORKLOAD.batches()]
    with EmbeddedStream(tmp_path / "stream") as stream:
        stream.create_topic("events", 1)
        for kill in range(KILLS):
            engine = start(tmp_path)
            while not (shard / "outlets" / "data.mdb").exists():
                assert engine.poll() is None
                time.sleep(CHUNK_INTERVAL_S)
            for batch in batches[kill * BATCHES_A_ROUND : (kill + 1) * BATCHES_A_ROUND]:
                stream.append("events", 0, batch)
                stream.flush()
                time.sleep(instants.uniform(0, CHUNK_INTERVAL_S))
            engine.send_signal(signal.SIGKILL)
            engine.wait()
            assert_right(shard)
    assert start(tmp_path, "--stop-at-end").wait() == 0
    assert_right(shard)
    assert sum(total.payments for total in OutletTotals(shard).totals()) > WORKLOAD.events // 2


def assert_right(shard: Path) -> None:
    """Bring the totals up to date from whatever a kill left, hold them against plain Python, and make them anew."""
    totals = OutletTotals(shard)
    totals.catch_up()
    reader = JournalReader(shard / "journal", up_to_frame=totals.applied_frame)
    plain = totals_of(bytes(frame.entries) for frame in reader)
    found = list(totals.totals())
    assert found == [OutletTotal(format_date(day), *rest, *total) for (day, *rest), total in sorted(plain.items())]
    rebuild_projection(OutletTotals, shard)
    assert list(totals.totals()) == found
