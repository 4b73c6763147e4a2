# Checksums as Python sees them. Owns nothing; uses crc32c.h.


def checksum_crc32c(const uint8_t[::1] data not None, uint32_t crc=0):
    """Return the CRC-32C (RFC 3720, Castagnoli) of ``data``, continued from ``crc``."""
    if data.shape[0] == 0:
        return crc
    return crc32c(crc, &data[0], data.shape[0])


def checksum_crc32c_portable(const uint8_t[::1] data not None, uint32_t crc=0):
    """The same without the processor's instruction: what tests hold ``checksum_crc32c`` against."""
    if data.shape[0] == 0:
        return crc
    return ~crc32c_portable(~crc, &data[0], data.shape[0]) & 0xFFFFFFFFu
