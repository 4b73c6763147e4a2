"""Who may write a shard's directory: the owner file with its epoch, and the lock that each epoch's writer holds.

Every writer raises the epoch; the journal compares it before and after each write, so that a writer that was taken over, perhaps
while it was stopped, can never report a frame durable again. The lock only tells whether an earlier writer still lives.
"""

import fcntl
import mmap
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ledger.errors import FormatVersionMismatch, JournalDamaged, LedgerLocked
from ledger.layouts import FORMAT_VERSION, OWNER_RECORD

_MAGIC = 0x4E574F50
_HINT = "Restore it from a copy while no engine runs"
_RETRY_S = 0.02
_GRACE_S = 2.0  # for another process that is just taking over


class Owner(NamedTuple):
    """What the owner file says. ``since_ms`` is when the epoch began."""

    epoch: int
    pid: int
    since_ms: int
    host: str
    boot_id: str


def read_owner(directory: Path) -> Owner | None:
    """Return the owner of a shard directory, ``None`` where it never had one."""
    try:
        data = (directory / "owner").read_bytes()
    except FileNotFoundError:
        return None
    return _unpack(directory, data)


class Ownership:
    """The right to write a shard directory, from ``take`` until ``release``.

    ``owner_map`` is the mapped owner file. ``is_alone`` says that no earlier writer lives: only then an existing segment may be
    written to.
    """

    def __init__(self, directory: Path, epoch: int, lock_fd: int, owner_map: mmap.mmap, is_alone: bool) -> None:
        self.directory = directory
        self.epoch = epoch
        self.owner_map = owner_map
        self.is_alone = is_alone
        self._lock_fd = lock_fd

    @classmethod
    def take(cls, directory: Path, *, takeover_after_s: float | None = None, least_epoch: Callable[[], int] = lambda: 0) -> Self:
        """Become the writer of ``directory``, with an epoch of our own.

        Raises ``LedgerLocked`` at once where another writer holds its lock. With ``takeover_after_s`` waits so long for its
        release, then takes over without it. ``least_epoch`` is asked where there is no owner file: the last epoch of the journal.
        """
        _create_owner_file(directory, least_epoch)
        watched_epoch, deadline = -1, 0.0
        while True:
            owner = _read_existing(directory)
            if owner.epoch != watched_epoch:  # a writer that took over meanwhile gets the full time too
                watched_epoch, deadline = owner.epoch, time.monotonic() + (takeover_after_s or 0)
            overdue_s = time.monotonic() - deadline
            taken = cls._try_epoch(directory, owner, may_take_over=takeover_after_s is not None and overdue_s >= 0)
            if taken is not None:
                return taken
            if takeover_after_s is None or overdue_s > _GRACE_S:
                raise LedgerLocked(
                    "another process writes this ledger",
                    hint="Stop it, or take over from it with a take-over time",
                    pid=owner.pid,
                    epoch=owner.epoch,
                    host=owner.host,
                )
            time.sleep(_RETRY_S)

    @classmethod
    def _try_epoch(cls, directory: Path, owner: Owner, may_take_over: bool) -> Self | None:
        previous_fd = _try_lock(directory, owner.epoch)
        if previous_fd is None and not may_take_over:
            return None
        lock_fd = None
        try:
            lock_fd = _try_lock(directory, owner.epoch + 1)
            if lock_fd is None or _read_existing(directory).epoch != owner.epoch:
                return None  # somebody else was faster
            owner_map = _write_owner(directory, owner.epoch + 1)
            taken = cls(directory, owner.epoch + 1, lock_fd, owner_map, is_alone=False)
            lock_fd = None
        finally:
            for fd in (previous_fd, lock_fd):
                if fd is not None:
                    os.close(fd)
        taken.is_alone = _remove_free_locks(directory, taken.epoch)
        return taken

    def release(self) -> None:
        """Give the lock back. The epoch stays, so that the next writer raises it again."""
        self.owner_map.close()
        lock_fd, self._lock_fd = self._lock_fd, -1
        if lock_fd >= 0:  # released before: by now the number may be another file's
            os.close(lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def _unpack(directory: Path, data: bytes) -> Owner:
    if len(data) < OWNER_RECORD.size:
        raise JournalDamaged(f"{directory / 'owner'} is too short", hint=_HINT, expected=OWNER_RECORD.size, found=len(data))
    fields = OWNER_RECORD.unpack(data)
    magic, version = fields["magic"], fields["format_version"]
    if magic != _MAGIC:
        raise JournalDamaged(f"{directory / 'owner'} is no owner file", hint=_HINT, expected=_MAGIC, found=magic)
    if version != FORMAT_VERSION:
        raise FormatVersionMismatch(
            "the owner file was written by another version", path=directory / "owner", expected=FORMAT_VERSION, found=version
        )
    return Owner(fields["epoch"], fields["pid"], fields["since_ms"], _text(fields["host"]), _text(fields["boot_id"]))


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="replace")


def _read_existing(directory: Path) -> Owner:
    return _unpack(directory, (directory / "owner").read_bytes())


def _pack(epoch: int) -> bytes:
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    boot = boot_id.read_text().strip().encode() if boot_id.exists() else b""
    host = socket.gethostname().encode()[:63]
    return OWNER_RECORD.pack(
        magic=_MAGIC,
        format_version=FORMAT_VERSION,
        epoch=epoch,
        pid=os.getpid(),
        since_ms=time.time_ns() // 1_000_000,
        host=host,
        boot_id=boot,
    )


def _create_owner_file(directory: Path, least_epoch: Callable[[], int]) -> None:
    if (directory / "owner").exists():
        return
    new = directory / f"owner.{os.getpid()}"
    with new.open("wb") as file:
        file.write(_pack(least_epoch()))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, directory / "owner")
    except FileExistsError:
        pass  # another process made it meanwhile
    finally:
        new.unlink()
    sync_directory(directory)


def _write_owner(directory: Path, epoch: int) -> mmap.mmap:
    # In place and not by a new file: the writers before us have this file mapped.
    with (directory / "owner").open("r+b") as file:
        owner_map = mmap.mmap(file.fileno(), OWNER_RECORD.size)
        owner_map[:] = _pack(epoch)
        owner_map.flush()
        os.fsync(file.fileno())
    return owner_map


def _try_lock(directory: Path, epoch: int) -> int | None:
    fd = os.open(directory / f"lock.{epoch}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _remove_free_locks(directory: Path, epoch: int) -> bool:
    # The lock file of a writer that lives stays, so that every later writer learns that it lives.
    all_free = True
    for path in directory.glob("lock.*"):
        earlier = int(path.suffix[1:])
        if earlier >= epoch:
            continue
        fd = _try_lock(directory, earlier)
        if fd is None:
            all_free = False
        else:
            path.unlink()
            os.close(fd)
    return all_free


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
