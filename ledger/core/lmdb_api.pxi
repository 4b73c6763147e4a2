# LMDB without the GIL: py-lmdb's extension exports the table of the LMDB functions that it bundles, and the core calls through it
# (docs/decisions/0040). Owns that table and the environments of balances; uses the records' layout.


cdef enum:
    LMDB_NOSYNC = 0x10000
    LMDB_RDONLY = 0x20000
    LMDB_WRITEMAP = 0x80000
    LMDB_NOTLS = 0x200000
    LMDB_NOMEMINIT = 0x1000000
    LMDB_INTEGERKEY = 0x08
    LMDB_CREATE = 0x40000
    LMDB_RESERVE = 0x10000
    LMDB_APPEND = 0x20000
    LMDB_NEXT = 8
    LMDB_NOTFOUND = -30798
    LMDB_CORRUPTED = -30796
    LMDB_MAP_FULL = -30792
    LMDB_READERS_FULL = -30790
    LMDB_MAP_RESIZED = -30785

    LMDB_PAGE_BYTES = 4096
    FIRST_MAP_BYTES = 16 << 20
    MAP_STEP_BYTES = 1 << 30  # a map doubles up to this size, then grows by it
    MAX_READERS = 512         # of all processes; a read takes a place for its duration only

PY_LMDB_VERSION = "3.0.0"  # the only one whose table is known to have the layout that _core.pxd declares

cdef const lmdb_table *load_lmdb() except NULL:
    cdef int major = -1, minor = -1, patch = -1
    cdef void *library = dlopen(os.fsencode(lmdb_extension.__file__), RTLD_NOW)
    cdef const lmdb_table *table = <const lmdb_table *>dlsym(library, "lmdb_api_v09") if library else NULL
    if table != NULL and lmdb.__version__ == PY_LMDB_VERSION and table.data_version == 1:
        table.version(&major, &minor, &patch)
        if (major, minor, patch) == (table.major, table.minor, table.patch):
            return table
    raise ConfigurationError(
        "This build calls LMDB through a table in py-lmdb's extension, and the installed py-lmdb does not have it as expected",
        hint=f"Install lmdb=={PY_LMDB_VERSION} from its wheel. To move to another release, compare lmdb/mdb_api.h of its source "
        "distribution with lmdb_table in ledger/_core.pxd, then change PY_LMDB_VERSION",
        expected=PY_LMDB_VERSION,
        found=lmdb.__version__,
    )


LMDB = load_lmdb()
LMDB_VERSION = (LMDB.major, LMDB.minor, LMDB.patch)

cdef object lmdb_failure(int code, object path):
    hint = "Make room and start again: the journal has everything" if code == ENOSPC else ""
    return ProjectionDamaged(f"LMDB: {LMDB.strerror(code).decode()}", hint=hint, path=str(path), code=code)
