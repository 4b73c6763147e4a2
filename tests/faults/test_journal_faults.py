"""The journal when processes are killed or stopped, and when the operating system refuses: with real processes and limits."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EFBIG, ENOSPC
from pathlib import Path

import pytest

from ledger._core import JournalReader
from ledger.errors import JournalWriteFailed, LedgerLocked
from ledger.layouts import SEGMENT_HEADER
from ledger.ownership import read_owner
from tests.journals import SEGMENT_BYTES, append, ledger_entries, make_journal, open_small, segments, write_frames
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).parent.parent.parent
ENTRIES = ledger_entries(6000)

# Writes frames without end, and prints the last seq of each once it is reported durable.
WRITER = """
import sys
from pathlib import Path
from tests.journals import append, ledger_entries, open_small
entries = ledger_entries(6000)
journal = open_small(Path(sys.argv[1]))
first_seq = journal.writer.durable_seq + 1
while True:
    size = 1 + first_seq * 7 % 300
    start = (first_seq - 1) % 5000 * 96
    frame = append(journal, entries[start:start + size * 96], first_seq)
    first_seq += size
    if frame % 3 == 0:
        journal.writer.wait_durable(frame)
        print(journal.writer.durable_seq, flush=True)
"""


@contextmanager
def child_writer(directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def entries_expected(count: int) -> bytes:
    parts, first_seq = [], 1
    while first_seq <= count:
        size = 1 + first_seq * 7 % 300
        start = (first_seq - 1) % 5000 * 96
        parts.append(ENTRIES[start : start + size * 96])
        first_seq += size
    return b"".join(parts)


def test_what_was_reported_durable_survives_sigkill(tmp_path):
    reported = 0
    for lines in (1, 7, 23, 60):
        with child_writer(tmp_path) as process:
            for _ in range(lines):
                reported = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().split()
            reported = int(rest[-1]) if rest else reported
        journal = open_small(tmp_path)
        durable = journal.writer.durable_seq
        journal.close()
        assert durable >= reported
        entries = b"".join(bytes(frame.entries) for frame in JournalReader(tmp_path / "journal"))
        assert len(entries) == durable * 96
        assert entries == entries_expected(durable)[: durable * 96]


def test_a_killed_writer_leaves_no_lock(tmp_path):
    with child_writer(tmp_path) as process:
        process.stdout.readline()
        with pytest.raises(LedgerLocked) as caught:
            open_small(tmp_path)
        assert caught.value.numbers["pid"] == process.pid
        process.kill()
        process.wait()
        open_small(tmp_path).close()


def test_a_stopped_writer_that_wakes_after_a_take_over_reports_nothing_more(tmp_path):
    with child_writer(tmp_path) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        journal = open_small(tmp_path, takeover_after_s=0.1)
        assert read_owner(tmp_path).epoch == 2
        taken_at = journal.writer.durable_seq
        start = taken_at % 1000
        write_frames(journal, ENTRIES[start * 96 : (start + 200) * 96], [90], first_seq=taken_at + 1)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE_S) == 1
        reported = [int(line) for line in process.stdout.read().split()]
        assert all(seq <= taken_at for seq in reported)
        write_frames(journal, ENTRIES[: 50 * 96], [], first_seq=taken_at + 201)
        journal.close()
    frames = list(JournalReader(tmp_path / "journal"))
    entries = b"".join(bytes(frame.entries) for frame in frames if frame.epoch == 2)
    assert entries == ENTRIES[start * 96 : (start + 200) * 96] + ENTRIES[: 50 * 96]
    assert frames[-1].first_seq + frames[-1].entry_count == taken_at + 251


def disk_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_a_take_over_gives_back_the_room_behind_the_end_of_the_segment_whatever_its_writer_does(tmp_path):
    with child_writer(tmp_path) as process:
        process.stdout.readline()
        wait_until(lambda: disk_bytes(segments(tmp_path / "journal")[-1]) >= SEGMENT_BYTES)
        process.send_signal(signal.SIGSTOP)
        journal = open_small(tmp_path, takeover_after_s=0.1)
        taken_at = journal.writer.durable_seq
        *_, before, own = segments(tmp_path / "journal")
        end = SEGMENT_HEADER.unpack(own.read_bytes()[: SEGMENT_HEADER.size])["previous_segment_end"]
        assert before.stat().st_size == SEGMENT_BYTES
        assert disk_bytes(before) <= -(-end // 4096) * 4096 + 4096 < SEGMENT_BYTES
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE_S) == 1
        assert before.stat().st_size == SEGMENT_BYTES
        write_frames(journal, ENTRIES[: 50 * 96], [], first_seq=taken_at + 1)
        journal.close()
    entries = b"".join(bytes(frame.entries) for frame in JournalReader(tmp_path / "journal"))
    assert entries == entries_expected(taken_at)[: taken_at * 96] + ENTRIES[: 50 * 96]


def test_a_start_gives_back_the_room_that_a_take_over_was_killed_before_it_gave_back(tmp_path):
    with child_writer(tmp_path) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        open_small(tmp_path, takeover_after_s=0.1).close()
    *_, before, own = segments(tmp_path / "journal")
    end = SEGMENT_HEADER.unpack(own.read_bytes()[: SEGMENT_HEADER.size])["previous_segment_end"]
    content = before.read_bytes()
    before.write_bytes(content)
    assert disk_bytes(before) >= SEGMENT_BYTES
    open_small(tmp_path).close()
    assert disk_bytes(before) < SEGMENT_BYTES
    assert (before.read_bytes()[:end], before.stat().st_size) == (content[:end], len(content))


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_after_a_refused_write_nothing_more_is_written(tmp_path):
    journal = open_small(tmp_path)
    write_frames(journal, ENTRIES[: 96 * 100], [])
    with file_size_limit(16384), pytest.raises(JournalWriteFailed) as caught:
        journal.writer.wait_durable(append(journal, ENTRIES[96 * 100 : 96 * 400], 101), PATIENCE_S)
    assert caught.value.numbers["errno"] == EFBIG
    assert caught.value.numbers["segment"] == 1
    assert caught.value.numbers["byte_offset"] == 4096 + 128 + 96 * 100
    with pytest.raises(JournalWriteFailed):
        append(journal, ENTRIES[:96], 401)
    with pytest.raises(JournalWriteFailed):
        journal.close()
    again = open_small(tmp_path)
    assert again.writer.durable_seq == 100
    write_frames(again, ENTRIES[96 * 100 : 96 * 400], [], first_seq=101)
    again.close()
    assert b"".join(bytes(frame.entries) for frame in JournalReader(tmp_path / "journal")) == ENTRIES[: 96 * 400]


@contextmanager
def mounted(kind: str, path: Path, options: str = "") -> Iterator[Path]:
    path.mkdir()
    command = ["mount", "-t", kind, *(["-o", options] if options else []), "none", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"this machine does not let us mount {kind}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_stops_the_writer_and_loses_nothing_that_was_durable(tmp_path):
    with mounted("tmpfs", tmp_path / "small", "size=1m") as directory:
        journal = open_small(directory)
        with pytest.raises(JournalWriteFailed) as caught:
            for start in range(0, 6000, 500):
                write_frames(journal, ENTRIES[96 * start : 96 * (start + 500)], [], first_seq=start + 1)
            for start in range(6000, 60_000, 500):
                write_frames(journal, ENTRIES[: 96 * 500], [], first_seq=start + 1)
        assert caught.value.numbers["errno"] == ENOSPC
        durable = journal.writer.durable_seq
        with pytest.raises(JournalWriteFailed):
            journal.close()
        frames = list(JournalReader(directory / "journal"))
        assert frames[-1].first_seq + frames[-1].entry_count - 1 == durable
        assert not list((directory / "journal").glob("*.preparing"))


def test_a_file_system_that_refuses_o_direct_is_written_buffered_and_reported(tmp_path):
    with mounted("ramfs", tmp_path / "ram") as directory:
        folder = make_journal(directory, ENTRIES, [1, 2])
        journal = open_small(directory)
        assert not journal.writer.direct_io
        assert "refuses O_DIRECT" in journal.writer.direct_io_refused
        journal.close()
        assert b"".join(bytes(frame.entries) for frame in JournalReader(folder)) == ENTRIES


def test_leftovers_of_a_killed_writer_are_removed(tmp_path):
    make_journal(tmp_path, ENTRIES)
    (tmp_path / "journal" / "0000000099.1.preparing").write_bytes(bytes(SEGMENT_BYTES))
    open_small(tmp_path).close()
    assert {path.suffix for path in (tmp_path / "journal").iterdir()} <= {".segment", ".index"}
    assert len(segments(tmp_path / "journal")) == int(segments(tmp_path / "journal")[-1].stem)
