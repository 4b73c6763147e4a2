"""When key tables become files: a checkpoint in slices between blocks, so that a start does not replay open days.

A checkpoint copies the tables while events go on being applied, so its files may already hold keys from behind its watermark.
That is harmless: applying the journal from the watermark finds them there. They must not outlive entries that a crash takes
away, so the files get their names only once everything that they may hold is durable.

Every epoch of the ledger's ownership writes to a directory of its own, ``keys/epoch-<n>``, which begins as what the one before
left. So a writer that was taken over while it stood still cannot slip old tables under its successor's checkpoint when it wakes.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from ledger import _core
from ledger.errors import PeakledgerError
from ledger.layouts import (
    KEY_CHECKPOINT,
    KEY_FORMAT_VERSION,
    KEY_PART_RECORD,
    KEY_TABLE_HEADER_BYTES,
    KEY_UNIT_BYTES,
    POSTING_STATE_HEADER,
)
from ledger.ownership import sync_directory

_EPOCH = date(1970, 1, 1)
_SUFFIX = ".keys"
_STATE = "posting.state"
_HASHES = 1 << 64


def table_path(directory: Path, business_date: int) -> Path:
    """Return the file of a business date's key table in an epoch's directory."""
    return directory / f"{_EPOCH + timedelta(days=business_date)}{_SUFFIX}"


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def complete_directory(keys: Path) -> Path | None:
    """Return the newest epoch's directory below ``keys`` that has a checkpoint, without which a directory does not count.

    Nor does one of an older format: the next start makes the keys anew from the journal.
    """
    complete = (path.parent for path in keys.glob("*/checkpoint") if not _is_of_older_format(path))
    return max(complete, key=lambda path: int(path.name.removeprefix("epoch-")), default=None)


def _is_of_older_format(checkpoint: Path) -> bool:
    """Whether a checkpoint is sound, but an earlier version's. What is damaged is not: whoever reads it says so."""
    try:
        content = checkpoint.read_bytes()
    except FileNotFoundError:
        return False  # a new owner of the ledger has just moved it
    if len(content) != KEY_CHECKPOINT.size:
        return False
    fields = KEY_CHECKPOINT.unpack(content)
    is_sound = fields["crc32c"] == _core.checksum_crc32c(content[8:])
    return is_sound and int(fields["format_version"]) < KEY_FORMAT_VERSION


def key_directory(keys: Path, epoch: int) -> Path:
    """Make an epoch's directory below ``keys``, with the files of the last checkpoint that an earlier epoch completed.

    The checkpoint itself is linked last, so that the directory counts only then.
    """
    own = keys / f"epoch-{epoch}"
    own.mkdir(parents=True)
    earlier = [path for path in keys.iterdir() if path != own]
    last = complete_directory(keys)
    if last:
        for path in (*last.glob(f"*{_SUFFIX}"), last / _STATE):
            os.link(path, own / path.name)
        sync_directory(own)
        os.link(last / "checkpoint", own / "checkpoint")
    sync_directory(own)
    sync_directory(keys)
    for path in earlier:
        shutil.rmtree(path, ignore_errors=True)
    return own


class KeyWatermarks(NamedTuple):
    """Up to where the files tell the keys, and up to where the posting state tells holds, reversals and limits; 0: nothing."""

    keys_seq: int = 0
    keys_frame: int = 0
    state_seq: int = 0
    state_frame: int = 0


def load_key_files(keys: _core.KeyFiles, directory: Path) -> KeyWatermarks:
    """Map the key tables of an epoch's directory, and load the posting state beside them; return up to where they tell.

    Raises KeyTableDamaged, FormatVersionMismatch.
    """
    checkpoint, state = directory / "checkpoint", directory / _STATE
    if not (checkpoint.exists() and state.exists()):
        return KeyWatermarks()
    watermark = keys.read_checkpoint(checkpoint.read_bytes(), str(checkpoint))
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        keys.map_file(str(path))
    return KeyWatermarks(*watermark, *keys.load_state(state.read_bytes(), str(state)))


def read_watermarks(directory: Path, files: _core.KeyFiles) -> KeyWatermarks:
    """Return up to where the files of an epoch's directory tell, keeping nothing and not looking at the tables.

    Raises as ``load_key_files``.
    """
    checkpoint, state = directory / "checkpoint", directory / _STATE
    watermark, content = files.read_checkpoint(checkpoint.read_bytes(), str(checkpoint)), state.read_bytes()
    files.check_state(content, str(state))
    header = POSTING_STATE_HEADER.unpack(content)
    return KeyWatermarks(*watermark, header["watermark_seq"], header["watermark_frame"])


def check_key_files(directory: Path, ledger_id: bytes, hash_seed: int) -> int:
    """Read every file of an epoch's directory, keeping nothing; return the keys in its tables. Raises as ``load_key_files``."""
    read_watermarks(directory, _core.KeyFiles(ledger_id))
    return sum(_core.check_key_table(str(path), hash_seed, ledger_id) for path in directory.glob(f"*{_SUFFIX}"))


def _cannot_write(directory: Path, error: OSError) -> PeakledgerError:
    return PeakledgerError(
        f"the key checkpoint cannot be written: {os.strerror(error.errno or 0)}",
        hint="Make room and start again: the journal has everything",
        path=directory,
    )


class KeyCheckpointer:
    """Writes checkpoints of one engine's key tables. All methods but the thread's own work run between two blocks."""

    def __init__(self, keys: _core.KeyFiles, directory: Path, wait_durable: Callable[[int], bool]) -> None:
        """``wait_durable(frame)`` returns once the frame is durable, False where the journal closes first. It may raise."""
        self._keys = keys
        self._directory = directory
        self._wait_durable = wait_durable
        self._slices: Iterator[None] | None = None
        self._watermark = (0, 0)
        self._written: dict[int, int] = {}
        self._finishing: threading.Thread | None = None
        self._failure: PeakledgerError | None = None

    @property
    def is_running(self) -> bool:
        return self._slices is not None or self._finishing is not None

    def start(self, seq: int, frame: int) -> None:
        """Begin a checkpoint of all that the journal holds up to ``seq`` and ``frame``. Raises as ``step``."""
        self._watermark = (seq, frame)
        self._written = {}
        with self._writing():
            (self._directory / _STATE).with_suffix(".new").write_bytes(self._keys.state_record())
        self._slices = self._write_tables()

    def step(self, last_frame: int) -> None:
        """Write one more part of one table; ``last_frame`` is the last one sealed.

        Raises PeakledgerError where the disk refuses it, and from then on, and what waiting for the journal raised.
        """
        if self._failure is not None:
            raise self._failure
        if self._slices is not None:
            with self._writing():
                is_written = next(self._slices, self) is self
            if is_written:
                self._slices = None
                self._finishing = threading.Thread(target=self._finish, args=(last_frame,), name="key-checkpoint", daemon=True)
                self._finishing.start()
        elif self._finishing is not None and not self._finishing.is_alive():
            self._finishing = None
            if self._failure is None:
                self._settle()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep what the disk refuses: a table of which a part is missing must not be taken for one that is written."""
        try:
            yield
        except OSError as error:
            self._failure = _cannot_write(self._directory, error)
            raise self._failure from error

    def complete(self, last_frame: int) -> None:
        """Bring a running checkpoint to its end, waiting for the disk."""
        while self.is_running:
            self.step(last_frame)
            if self._finishing is not None:
                self._finishing.join()

    def forget_before(self, first_open_date: int) -> None:
        """Drop the tables of business dates that have closed."""
        for business_date in self._keys.all_dates():
            if business_date < first_open_date:
                self._keys.forget(business_date)
                table_path(self._directory, business_date).unlink(missing_ok=True)

    def _write_tables(self) -> Iterator[None]:
        for business_date in self._keys.changed_dates():
            new = table_path(self._directory, business_date).with_suffix(".new")
            self._written[business_date] = self._keys.keys_added(business_date)
            with new.open("wb") as file:
                first_hash, byte_offset, parts = 0, KEY_TABLE_HEADER_BYTES, b""
                while first_hash < _HASHES:
                    record = self._keys.write_part(business_date, first_hash, file.fileno(), byte_offset)
                    part = KEY_PART_RECORD.unpack(record)
                    byte_offset += part["units"] * KEY_UNIT_BYTES
                    first_hash += _HASHES >> part["depth"]
                    parts += record
                    yield
                file.write(self._keys.header(business_date, parts))
                file.seek(byte_offset)
                file.write(parts)

    def _finish(self, last_frame: int) -> None:
        """Thread body: wait until everything in the files is durable in the journal, then give them their names."""
        paths = [table_path(self._directory, business_date) for business_date in self._written] + [self._directory / _STATE]
        checkpoint = self._directory / "checkpoint"
        try:
            for path in paths:
                _sync_file(path.with_suffix(".new"))
            if not self._wait_durable(last_frame):
                return
            for path in paths:
                path.with_suffix(".new").replace(path)
            checkpoint.with_suffix(".new").write_bytes(self._keys.checkpoint_record(*self._watermark))
            _sync_file(checkpoint.with_suffix(".new"))
            sync_directory(self._directory)
            checkpoint.with_suffix(".new").replace(checkpoint)
            sync_directory(self._directory)
        except OSError as error:
            self._failure = _cannot_write(self._directory, error)
        except PeakledgerError as error:
            self._failure = error

    def _settle(self) -> None:
        """Let go of the memory of tables that took no more keys while they were written; their files serve from now on."""
        for business_date, keys_written in self._written.items():
            if self._keys.settle(business_date, keys_written) == 0:
                self._keys.map_file(str(table_path(self._directory, business_date)))
        self._written = {}
