"""What Python sees of the extension module, in the order of its parts."""

# --- core/layouts.pxi ---------------------------------------------------------------------------------------------------

RECORD_LAYOUTS: dict[str, tuple[int, str]]

# --- core/checksums.pxi -------------------------------------------------------------------------------------------------

def checksum_crc32c(data: bytes | bytearray | memoryview, crc: int = 0) -> int: ...
