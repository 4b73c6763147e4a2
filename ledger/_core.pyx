"""The engine: one extension module, its parts in the order in which an event passes them."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t  # no-cython-lint: used by the parts
from libc.string cimport memcmp, memcpy, memset  # no-cython-lint: used by the parts

include "core/layouts.pxi"
include "core/checksums.pxi"
include "core/record_batches.pxi"
include "core/batch_building.pxi"
include "core/decode.pxi"
include "core/journal.pxi"
include "core/accounts.pxi"
include "core/keys.pxi"
include "core/posting.pxi"
include "core/lmdb_api.pxi"
include "core/projector.pxi"
include "core/balance_view.pxi"
include "core/recovery.pxi"
