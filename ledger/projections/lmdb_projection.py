"""What projections have in common that are kept in an LMDB file of their own, ``data.mdb`` in a directory of the shard.

Whoever looks brings them up to date first; the totals of outlets follow an engine too. The watermark is written in one
``lmdb_txn`` with the data and LMDB lets one write at a time, so it makes no difference who does it.
"""

import logging
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from errno import EACCES, EROFS
from pathlib import Path
from typing import ClassVar

import lmdb
import msgspec

from ledger._core import JournalReader
from ledger.errors import ConfigurationError, FormatVersionMismatch, ProjectionDamaged
from ledger.journal import read_parameters
from ledger.ownership import Ownership
from ledger.projections import base
from ledger.projections.base import Progress

log = logging.getLogger(__name__)

_MAP_BYTES = 1 << 40  # address space only: the file is as long as what it holds
_WATERMARK_KEY = b"state"


class FileWatermark(msgspec.Struct, array_like=True):
    """The last frame and entry that a file holds, whose they are, and by which format they are stored."""

    ledger_id: bytes
    frame: int = 0
    seq: int = 0
    format_version: int = 0  # of files from before there was one
    frame_crc32c: int = 0  # of that frame; not known in files from before it was noted


class LmdbProjection(ABC):
    """A projection of one shard in a file of its own. Bring it up to date with ``catch_up``."""

    directory_name: ClassVar[str]
    format_version: ClassVar[int]  # an older file is made anew by whoever opens it
    tables: ClassVar[Sequence[str]]  # LMDB databases, beside that of the watermark

    def __init__(
        self, shard_directory: Path | str, directory: Path | None = None, *, readonly: bool = False, anew: bool = False
    ) -> None:
        """``directory`` is for one beside that of the shard, to compare the two; ``readonly`` to look at what is there as it is;
        ``anew`` to forget all of it.

        Raises LedgerNotFound where there is no ledger, ConfigurationError where it cannot be written, ProjectionDamaged where the
        file cannot be read, and FormatVersionMismatch where a later version wrote it.
        """
        self._shard = Path(shard_directory)
        self._ledger_id = read_parameters(self._shard).ledger_id
        self._directory = directory or self._shard / self.directory_name
        if not readonly:
            self._make_directory()
        try:
            self._env = _environment(self._directory, 1 + len(self.tables), readonly=readonly)
            self._is_own = readonly and self._env not in _environments.values()
            self._meta = self._env.open_db(b"meta", create=not readonly)
            self._tables = {name: self._env.open_db(name.encode(), create=not readonly) for name in self.tables}
        except lmdb.Error as error:
            if not readonly:
                self._check_writable()
            raise ProjectionDamaged(
                f"The {self.directory_name} cannot be opened: {error}", hint="Rebuild it", path=self._directory
            ) from error
        if anew or (not self._is_ours(readonly=readonly) and not readonly):
            self._clear()

    @classmethod
    def is_kept(cls, shard_directory: Path | str) -> bool:
        """Return whether the shard has the projection: nobody may have looked yet."""
        return (Path(shard_directory) / cls.directory_name / "data.mdb").exists()

    @property
    def applied_frame(self) -> int:
        """The last frame that is in."""
        return self._watermark_now().frame

    @property
    def applied_seq(self) -> int:
        """The last entry of that frame or of those before it."""
        return self._watermark_now().seq

    def close(self) -> None:
        """Close a file that was opened to be read only, so that another can open it. Others close with their last user."""
        if self._is_own:
            self._env.close()

    def catch_up(self, progress: Progress | None = None) -> None:
        """Take in what the journal holds by now. Raises JournalDamaged."""
        self.check_frame()
        base.catch_up(self, self._shard, progress)

    def check_frame(self) -> None:
        """Forget all where the journal does not have the last frame that is in, or has another in its place.

        Whoever looks may take in a frame that is whole and not durable yet; a power cut takes it, and its records come again in
        other frames. So they do behind a damaged last frame. Raises JournalDamaged.
        """
        now = self._watermark_now()
        if now.frame and not JournalReader(self._shard / "journal", follow=True).seek_behind(now.frame, now.frame_crc32c):
            log.warning(
                "%s: the %s had frame %d, seq %d, which the journal does not have so: it is made anew",
                self._shard.name,
                self.directory_name,
                now.frame,
                now.seq,
            )
            self._clear()

    def rebuild(self, progress: Progress | None = None) -> None:
        """Make the projection anew from the whole journal."""
        self._clear()
        self.catch_up(progress)

    @abstractmethod
    def replay(self, reader: JournalReader) -> bool:
        """Take in some frames behind the watermark in one ``lmdb_txn``. Return whether ``reader`` may have more."""

    def _make_directory(self) -> None:
        try:
            self._directory.mkdir(exist_ok=True)
        except OSError as error:
            raise self._cannot_write(self._directory, error.errno) from error

    def _check_writable(self) -> None:
        """Raise ConfigurationError where a file or the directory cannot be written, which LMDB does not tell from damage."""
        for path in (self._directory, self._directory / "data.mdb", self._directory / "lock.mdb"):
            if path.exists() and not os.access(path, os.W_OK):
                is_readonly = os.statvfs(path).f_flag & os.ST_RDONLY
                raise self._cannot_write(path, EROFS if is_readonly else EACCES)

    def _cannot_write(self, path: Path, error_number: int | None) -> ConfigurationError:
        return ConfigurationError(
            f"{path} cannot be written: {os.strerror(error_number or EACCES)}",
            hint="Whoever looks brings it up to date: look where the ledger can be written, or at a copy of it",
        )

    def _is_ours(self, *, readonly: bool) -> bool:
        """Return whether the file is of this ledger and format. Raises FormatVersionMismatch where it cannot be used."""
        found = self._watermark_now()
        if found.format_version > self.format_version or (readonly and found.format_version < self.format_version):
            raise FormatVersionMismatch(
                f"The file of the {self.directory_name} was written by another version",
                hint="Make it anew: peakledger rebuild",
                path=self._directory,
                expected=self.format_version,
                found=found.format_version,
            )
        return (found.ledger_id, found.format_version) == (self._ledger_id, self.format_version)

    def _watermark_now(self) -> FileWatermark:
        with self._env.begin() as txn:
            return self._watermark(txn)

    def _watermark(self, txn: lmdb.Transaction) -> FileWatermark:
        data = txn.get(_WATERMARK_KEY, db=self._meta)
        if not data:
            return FileWatermark(self._ledger_id, format_version=self.format_version)
        try:
            return msgspec.msgpack.decode(data, type=FileWatermark)
        except msgspec.DecodeError as error:
            raise ProjectionDamaged(
                f"The watermark of the {self.directory_name} cannot be read: {error}", hint="Rebuild it", path=self._directory
            ) from error

    def _put_watermark(self, txn: lmdb.Transaction, frame: int, seq: int, frame_crc32c: int = 0) -> None:
        watermark = FileWatermark(self._ledger_id, frame, seq, self.format_version, frame_crc32c)
        txn.put(_WATERMARK_KEY, msgspec.msgpack.encode(watermark), db=self._meta)

    def _clear(self) -> None:
        with self._env.begin(write=True) as txn:
            for table in self._tables.values():
                txn.drop(table, delete=False)
            self._put_watermark(txn, 0, 0)


def rebuild_projection(kind: type[LmdbProjection], shard_directory: Path | str, progress: Progress | None = None) -> None:
    """Make a projection anew from the whole journal. A file that cannot be opened is deleted first.

    Raises LedgerNotFound, JournalDamaged, and LedgerLocked where an engine runs on a file that cannot be opened.
    """
    try:
        projection = kind(shard_directory, anew=True)
    except ProjectionDamaged:
        with Ownership.take(Path(shard_directory)):
            for name in ("data.mdb", "lock.mdb"):
                (Path(shard_directory) / kind.directory_name / name).unlink(missing_ok=True)
        projection = kind(shard_directory)
    projection.catch_up(progress)


_environments: weakref.WeakValueDictionary[Path, lmdb.Environment] = weakref.WeakValueDictionary()


def _environment(directory: Path, databases: int, *, readonly: bool) -> lmdb.Environment:
    """Return this process' environment in ``directory``: LMDB allows no second one. One that only reads is its caller's own."""
    path = directory.resolve()
    environment = _environments.get(path)
    if environment is None:
        environment = lmdb.open(str(path), max_dbs=databases, map_size=_MAP_BYTES, readonly=readonly)
        if not readonly:
            _environments[path] = environment
    return environment
