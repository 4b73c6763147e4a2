/* CRC-32C (Castagnoli, RFC 3720): the processor's instruction where it has one, chosen at run time, a table elsewhere. */
#ifndef PEAKLEDGER_CRC32C_H
#define PEAKLEDGER_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint32_t crc32c_table_entry(uint32_t byte) {
  for (int bit = 0; bit < 8; bit++) byte = byte & 1 ? byte >> 1 ^ 0x82F63B78u : byte >> 1;
  return byte;
}

static uint32_t crc32c_portable(uint32_t crc, const uint8_t *data, size_t length) {
  static uint32_t table[256];
  if (!table[1])
    for (uint32_t byte = 256; byte-- > 0;) table[byte] = crc32c_table_entry(byte);
  while (length--) crc = table[(crc ^ *data++) & 0xFF] ^ crc >> 8;
  return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc32c_native(uint32_t crc, const uint8_t *data, size_t length) {
  uint64_t state = crc;
  for (; length >= 8; data += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    state = _mm_crc32_u64(state, word);
  }
  while (length--) state = _mm_crc32_u8((uint32_t)state, *data++);
  return (uint32_t)state;
}
static int crc32c_has_native(void) { return __builtin_cpu_supports("sse4.2"); }
#else
#define crc32c_native crc32c_portable
static int crc32c_has_native(void) { return 0; }
#endif

static uint32_t crc32c(uint32_t crc, const void *data, size_t length) {
  static uint32_t (*chosen)(uint32_t, const uint8_t *, size_t);
  if (!chosen) chosen = crc32c_has_native() ? crc32c_native : crc32c_portable;
  return ~chosen(~crc, (const uint8_t *)data, length);
}

#endif
