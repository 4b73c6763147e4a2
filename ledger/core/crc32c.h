/* CRC-32C (Castagnoli, RFC 3720): the processor's instruction in three interleaved lanes, chosen at run time; tables elsewhere.
 *
 * The instruction takes three cycles but can start every cycle, so three stretches of the input are summed side by side. The sum
 * of A then B is the sum of A moved over as many zero bytes as B has, xor the sum of B; moving over a fixed length is linear in
 * the sum, hence four table look-ups.
 */
#ifndef PEAKLEDGER_CRC32C_H
#define PEAKLEDGER_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CRC32C_LONG_LANE 4096
#define CRC32C_SHORT_LANE 256 /* both are multiples of 64 */

typedef uint32_t crc32c_table[256];

static crc32c_table crc32c_slices[8];
static uint32_t (*crc32c_chosen)(uint32_t, const uint8_t *, size_t);

static uint32_t crc32c_portable(uint32_t state, const uint8_t *data, size_t length) {
  const crc32c_table *slices = crc32c_slices;
  for (; length >= 8; data += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    word ^= state;
    state = slices[7][word & 0xFF] ^ slices[6][word >> 8 & 0xFF] ^ slices[5][word >> 16 & 0xFF] ^ slices[4][word >> 24 & 0xFF] ^
            slices[3][word >> 32 & 0xFF] ^ slices[2][word >> 40 & 0xFF] ^ slices[1][word >> 48 & 0xFF] ^ slices[0][word >> 56];
  }
  while (length--) state = slices[0][(state ^ *data++) & 0xFF] ^ state >> 8;
  return state;
}

static void crc32c_fill_slices(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t state = byte;
    for (int bit = 0; bit < 8; bit++) state = state & 1 ? state >> 1 ^ 0x82F63B78u : state >> 1;
    crc32c_slices[0][byte] = state;
  }
  for (int slice = 1; slice < 8; slice++)
    for (int byte = 0; byte < 256; byte++) {
      uint32_t before = crc32c_slices[slice - 1][byte];
      crc32c_slices[slice][byte] = crc32c_slices[0][before & 0xFF] ^ before >> 8;
    }
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#if defined(__clang__) && __clang_major__ >= 14 /* which counts the instruction apart from the rest of SSE 4.2 */
#define CRC32C_NATIVE __attribute__((target("sse4.2,crc32")))
#else
#define CRC32C_NATIVE __attribute__((target("sse4.2")))
#endif
#define crc32c_add_8(state, word) ((uint32_t)_mm_crc32_u64(state, word))
#define crc32c_add_1(state, byte) _mm_crc32_u8(state, byte)
static int crc32c_has_native(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define CRC32C_NATIVE __attribute__((target("+crc")))
#define crc32c_add_8(state, word) __crc32cd(state, word)
#define crc32c_add_1(state, byte) __crc32cb(state, byte)
static int crc32c_has_native(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

#ifdef CRC32C_NATIVE
static crc32c_table crc32c_over_long_lane[4], crc32c_over_short_lane[4];

static void crc32c_fill_over_lane(crc32c_table *over_lane, size_t lane) {
  static const uint8_t zeros[CRC32C_LONG_LANE];
  for (int bit = 0; bit < 32; bit++) {
    uint32_t moved = crc32c_portable((uint32_t)1 << bit, zeros, lane);
    for (int byte = 0; byte < 256; byte++)
      if (byte >> bit % 8 & 1) over_lane[bit / 8][byte] ^= moved;
  }
}

static inline uint32_t crc32c_move_over(const crc32c_table *over_lane, uint32_t state) {
  return over_lane[0][state & 0xFF] ^ over_lane[1][state >> 8 & 0xFF] ^ over_lane[2][state >> 16 & 0xFF] ^ over_lane[3][state >> 24];
}

CRC32C_NATIVE static inline uint32_t crc32c_three_lanes(uint32_t first, const uint8_t *data, size_t lane,
                                                        const crc32c_table *over_lane) {
  uint32_t second = 0, third = 0;
  for (const uint8_t *end = data + lane; data < end; data += 64) {
    /* What comes behind these three stretches, while they are summed: processors look ahead by themselves only within a page. */
    for (size_t ahead = 3 * lane; ahead < 6 * lane; ahead += lane) __builtin_prefetch((const void *)((uintptr_t)data + ahead));
    for (int at = 0; at < 64; at += 8) {
      uint64_t words[3];
      memcpy(&words[0], data + at, 8);
      memcpy(&words[1], data + at + lane, 8);
      memcpy(&words[2], data + at + 2 * lane, 8);
      first = crc32c_add_8(first, words[0]);
      second = crc32c_add_8(second, words[1]);
      third = crc32c_add_8(third, words[2]);
    }
  }
  return crc32c_move_over(over_lane, crc32c_move_over(over_lane, first) ^ second) ^ third;
}

CRC32C_NATIVE static uint32_t crc32c_native(uint32_t state, const uint8_t *data, size_t length) {
  for (; length >= 3 * CRC32C_LONG_LANE; data += 3 * CRC32C_LONG_LANE, length -= 3 * CRC32C_LONG_LANE)
    state = crc32c_three_lanes(state, data, CRC32C_LONG_LANE, crc32c_over_long_lane);
  for (; length >= 3 * CRC32C_SHORT_LANE; data += 3 * CRC32C_SHORT_LANE, length -= 3 * CRC32C_SHORT_LANE)
    state = crc32c_three_lanes(state, data, CRC32C_SHORT_LANE, crc32c_over_short_lane);
  for (; length >= 8; data += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    state = crc32c_add_8(state, word);
  }
  while (length--) state = crc32c_add_1(state, *data++);
  return state;
}
#endif

/* Runs when the module is loaded: no thread can see half a table. */
__attribute__((constructor)) static void crc32c_choose(void) {
  crc32c_fill_slices();
  crc32c_chosen = crc32c_portable;
#ifdef CRC32C_NATIVE
  if (!crc32c_has_native()) return;
  crc32c_fill_over_lane(crc32c_over_long_lane, CRC32C_LONG_LANE);
  crc32c_fill_over_lane(crc32c_over_short_lane, CRC32C_SHORT_LANE);
  crc32c_chosen = crc32c_native;
#endif
}

/* The sum of data, continued from the sum crc of what came before; 0 to begin. */
static inline uint32_t crc32c(uint32_t crc, const void *data, size_t length) {
  return ~crc32c_chosen(~crc, (const uint8_t *)data, length);
}

#endif
