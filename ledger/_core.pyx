"""The engine: one extension module, its parts in the order in which an event passes them."""

from cpython.exc cimport PyErr_CheckSignals  # no-cython-lint
from libc.errno cimport EEXIST, EFBIG, EINTR, EINVAL, EIO, ENOENT, ENOMEM, ENOSPC, errno  # no-cython-lint
from libc.stdint cimport INT64_MAX, INT64_MIN, UINT16_MAX, UINT64_MAX, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t  # no-cython-lint: used by the parts
from libc.stdio cimport rename, snprintf  # no-cython-lint
from libc.stdlib cimport calloc, free, malloc, qsort, realloc  # no-cython-lint
from libc.string cimport memcmp, memcpy, memmove, memset  # no-cython-lint
from posix.dlfcn cimport RTLD_NOW, dlopen, dlsym  # no-cython-lint
from posix.fcntl cimport O_CLOEXEC, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY  # no-cython-lint
from posix.fcntl cimport open as open_file  # no-cython-lint
from posix.mman cimport MADV_DONTNEED, MADV_HUGEPAGE, MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED  # no-cython-lint
from posix.mman cimport PROT_READ, PROT_WRITE, madvise, mmap, munmap  # no-cython-lint
from posix.stdlib cimport posix_memalign  # no-cython-lint
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec  # no-cython-lint
from posix.types cimport off_t  # no-cython-lint
from posix.unistd cimport SEEK_END  # no-cython-lint
from posix.unistd cimport close as close_file  # no-cython-lint
from posix.unistd cimport fdatasync, fsync, getpid, link, lseek, nice, pread, pwrite, unlink, usleep  # no-cython-lint

import os
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path

import lmdb
import lmdb.cpython as lmdb_extension

from ledger.errors import (
    ConfigurationError,
    Fenced,
    FormatVersionMismatch,
    JournalDamaged,
    JournalWriteFailed,
    KeyTableDamaged,
    PeakledgerError,
    ProjectionDamaged,
)
from ledger.outcomes import OutcomeCode
from ledger.projections import generations

include "core/layouts.pxi"
include "core/checksums.pxi"
include "core/record_batches.pxi"
include "core/batch_tools.pxi"
include "core/batch_building.pxi"
include "core/channel_profiles.pxi"
include "core/decode_text.pxi"
include "core/utf8.pxi"
include "core/decode_json.pxi"
include "core/decode_msgpack.pxi"
include "core/decode.pxi"
include "core/decode_notes.pxi"
include "core/decode_legs.pxi"
include "core/decode_values.pxi"
include "core/nested_fields.pxi"
include "core/decode_nested.pxi"
include "core/digests.pxi"
include "core/segments.pxi"
include "core/frames.pxi"
include "core/frame_ring.pxi"
include "core/journal.pxi"
include "core/journal_reader.pxi"
include "core/entry_reader.pxi"
include "core/memory.pxi"
include "core/state_digests.pxi"
include "core/json_writing.pxi"
include "core/outcome_rendering.pxi"
include "core/verify.pxi"
include "core/accounts.pxi"
include "core/page_pool.pxi"
include "core/keys.pxi"
include "core/key_files.pxi"
include "core/entries.pxi"
include "core/account_walk.pxi"
include "core/past_accounts.pxi"
include "core/holds.pxi"
include "core/limits.pxi"
include "core/closed_dates.pxi"
include "core/transfers.pxi"
include "core/adjustments.pxi"
include "core/ledger_events.pxi"
include "core/household_events.pxi"
include "core/channel_events.pxi"
include "core/leg_prefetch.pxi"
include "core/posting.pxi"
include "core/posting_state.pxi"
include "core/lmdb_api.pxi"
include "core/balance_file.pxi"
include "core/flush_pacing.pxi"
include "core/durable_frames.pxi"
include "core/projector.pxi"
include "core/balance_view.pxi"
include "core/change_rendering.pxi"
include "core/outlet_totals.pxi"
include "core/refusals.pxi"
include "core/recovery.pxi"
