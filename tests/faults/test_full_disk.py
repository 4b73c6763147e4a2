"""A ledger on a disk that gets full, or that cannot be written: what commands say, how they end, and that nothing is lost."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.workload import Workload
from ledger.engine import Engine
from ledger.errors import PeakledgerError
from ledger.events import Payment, encode_json
from ledger.projections.balances import BalanceReader
from ledger.verify import verify_keys
from tests.commands import in_a_process
from tests.faults.test_journal_faults import mounted

SETTINGS = {"stream": "stream", "data": "small/ledger", "segment_mb": 16, "close_after_days": 36500, "future_days": 366}
WORKLOAD = Workload(seed=3, events=2000, households=150)


@pytest.fixture
def small(tmp_path):
    """A small disk with the ledger of an embedded stream that is beside it."""
    (tmp_path / "peakledger.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in SETTINGS.items()))
    with mounted("tmpfs", tmp_path / "small", "size=64m") as directory:
        assert in_a_process("topics", "create", cwd=tmp_path).status == 0
        assert in_a_process("run", "--stop-at-end", cwd=tmp_path).status == 0
        yield directory


@contextmanager
def running(small, **environ):
    """Run an engine, and wait until it is open."""
    command = [sys.executable, "-m", "peakledger", "run", "--status-interval-s", "0.1"]
    with subprocess.Popen(command, cwd=small.parent, env=os.environ | environ, stderr=subprocess.PIPE, text=True) as engine:
        try:
            wait_for(engine, "payments.events/0 is open")
            yield engine
        finally:
            engine.kill()


@contextmanager
def frozen(engine):
    """Stop an engine as by SIGSTOP meanwhile, so that it meets all that was done at once."""
    engine.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, engine.pid, os.WSTOPPED)
    yield
    engine.send_signal(signal.SIGCONT)


def fill(small, but_bytes):
    """Leave no more room than so much; return what takes it."""
    filling = small / "filling"
    filling.write_bytes(bytes(os.statvfs(small).f_bavail * 4096 - but_bytes))
    return filling


def publish(small, count):
    payments = [
        Payment(channel="alipay", business_date="2026-07-23", serial=f"{number:020d}", household=f"{number:013d}", amount_fen=5)
        for number in range(count)
    ]
    (small.parent / "events.jsonl").write_bytes(b"\n".join(map(encode_json, payments)))
    assert in_a_process("publish", "events.jsonl", cwd=small.parent).status == 0


def wait_for(engine, said):
    """Read what an engine says until it says so; return it."""
    lines = []
    for line in engine.stderr:
        lines.append(line)
        if said in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("environ", [{}, {"PEAKLEDGER_BALANCES_TOPIC": "payments.outcomes"}])
def test_sigterm_does_not_wait_for_room_and_says_what_is_behind(small, environ):
    with running(small, **environ) as engine:
        with frozen(engine):
            filling = fill(small, 1 << 20)
            publish(small, 1000)
        wait_for(engine, "1,000 events | watermark 2,001 entries behind")
        engine.send_signal(signal.SIGTERM)
        _, told = engine.communicate()
    assert engine.returncode == 14
    assert (
        "the balances lack what is durable: the disk has no room for them (expected 2001, found 0)."
        " Make room and start again: the journal has everything" in told
    )
    assert "Traceback" not in told
    filling.unlink()
    assert in_a_process("run", "--stop-at-end", cwd=small.parent).status == 0
    assert BalanceReader(small / "ledger" / "payments.events-0").watermark.seq == 2001
    assert in_a_process("verify", cwd=small.parent).status == 0


def test_a_disk_without_any_room_stops_publishing_with_a_sentence_and_no_outcome_is_lost(small):
    with running(small) as engine:
        with frozen(engine):
            filling = fill(small, 0)
            publish(small, 1000)
        _, told = engine.communicate()
    assert engine.returncode == 1
    assert "outcomes.position cannot be written: No space left on device. Make room and start again" in told
    assert "Traceback" not in told
    filling.unlink()
    (shard,) = in_a_process("run", "--stop-at-end", "--json", cwd=small.parent).items
    assert shard["events_applied"] == 1000
    assert in_a_process("verify", cwd=small.parent).status == 0


def test_a_key_checkpoint_that_the_disk_has_no_room_for_is_not_finished_when_it_has(tmp_path):
    with mounted("tmpfs", tmp_path / "small", "size=64m") as directory:
        shard = directory / "shard"
        engine = Engine.open(shard, segment_bytes=1 << 20)
        for batch, next_offset in WORKLOAD.batches():
            engine.apply(batch, next_offset)
        assert engine.wait_projected()
        filling = fill(directory, 96 << 10)
        with pytest.raises(PeakledgerError, match="the key checkpoint cannot be written: No space left on device"):
            engine._keys.start(engine.applied_seq, engine.durable_frame)
            engine._keys.complete(engine.durable_frame)
        filling.unlink()
        with pytest.raises(PeakledgerError, match="the key checkpoint cannot be written"):
            engine.close()
        applied_seq = engine.applied_seq
        with Engine.open(shard, segment_bytes=1 << 20) as engine:
            assert engine.applied_seq == applied_seq
            for batch, next_offset in WORKLOAD.batches():
                engine.apply(batch, next_offset)
            assert engine.applied_seq == applied_seq  # all of it was known
        assert verify_keys(shard) > 0
        del engine
        gc.collect()  # what is mapped keeps the file system mounted


@pytest.mark.parametrize(("command", "kept"), [(("outlets", "totals"), "outlets"), (("quarantine", "list"), "quarantine")])
def test_a_ledger_that_cannot_be_written_is_told_as_such_and_not_as_damage(small, command, kept):
    directory = Path("small/ledger/payments.events-0") / kept
    shutil.rmtree(small.parent / directory, ignore_errors=True)
    for is_kept in (False, True):
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
        ended = in_a_process(*command, cwd=small.parent)
        subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
        assert (small.parent / directory).exists() == is_kept
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith(f"peakledger: {directory} cannot be written: Read-only file system. Whoever looks")
        assert in_a_process(*command, cwd=small.parent).status == 0
