/* SHA-256 (FIPS 180-4): the processor's instructions where it has them, chosen at run time, plain C elsewhere. */
#ifndef PEAKLEDGER_SHA256_H
#define PEAKLEDGER_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHA256_BLOCK_BYTES 64
#define SHA256_LANES 4 /* how many messages are digested at once */

typedef struct {
  uint32_t state[8];
  uint64_t length; /* bytes added so far */
  uint8_t tail[SHA256_BLOCK_BYTES]; /* the bytes that do not fill a block yet */
} sha256_context;

static const uint32_t sha256_round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t sha256_rotate(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

static uint32_t sha256_load_word(const uint8_t *data) {
  return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static void sha256_store_word(uint8_t *data, uint32_t word) {
  data[0] = (uint8_t)(word >> 24);
  data[1] = (uint8_t)(word >> 16);
  data[2] = (uint8_t)(word >> 8);
  data[3] = (uint8_t)word;
}

static void sha256_blocks_portable(uint32_t state[8], const uint8_t *data, size_t count) {
  for (; count--; data += SHA256_BLOCK_BYTES) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) w[i] = sha256_load_word(data + 4 * i);
    for (int i = 16; i < 64; i++) {
      uint32_t low = sha256_rotate(w[i - 15], 7) ^ sha256_rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
      uint32_t high = sha256_rotate(w[i - 2], 17) ^ sha256_rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + low + w[i - 7] + high;
    }
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
      uint32_t sum_e = sha256_rotate(v[4], 6) ^ sha256_rotate(v[4], 11) ^ sha256_rotate(v[4], 25);
      uint32_t sum_a = sha256_rotate(v[0], 2) ^ sha256_rotate(v[0], 13) ^ sha256_rotate(v[0], 22);
      uint32_t first = v[7] + sum_e + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha256_round_constants[i] + w[i];
      uint32_t second = sum_a + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      memmove(v + 1, v, 7 * sizeof *v);
      v[4] += first;
      v[0] = first + second;
    }
    for (int i = 0; i < 8; i++) state[i] += v[i];
  }
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
/* The instructions want the state as (a,b,e,f) and (c,d,g,h), and do two rounds each, each waiting for the one before: four lanes,
 * of four messages, take little more than twice the time of one. */
__attribute__((target("sha,sse4.1"), always_inline)) static inline void sha256_lanes(
    const int lanes, uint32_t *const states[], const uint8_t *const data[], size_t count) {
  const __m128i byte_swap = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
  __m128i abef[SHA256_LANES], cdgh[SHA256_LANES], abef_before[SHA256_LANES], cdgh_before[SHA256_LANES], w[SHA256_LANES][4];
  for (int lane = 0; lane < lanes; lane++) {
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)states[lane]), 0xB1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(states[lane] + 4)), 0x1B);
    abef[lane] = _mm_alignr_epi8(cdab, efgh, 8);
    cdgh[lane] = _mm_blend_epi16(efgh, cdab, 0xF0);
  }
  for (size_t block = 0; block < count; block++) {
    for (int lane = 0; lane < lanes; lane++) {
      const uint8_t *place = data[lane] + SHA256_BLOCK_BYTES * block;
      abef_before[lane] = abef[lane];
      cdgh_before[lane] = cdgh[lane];
      for (int i = 0; i < 4; i++) w[lane][i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(place + 16 * i)), byte_swap);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
#pragma GCC unroll 4
      for (int lane = 0; lane < lanes; lane++) {
        __m128i *words = w[lane];
        __m128i sum = _mm_add_epi32(words[i & 3], _mm_load_si128((const __m128i *)(sha256_round_constants + 4 * i)));
        cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], sum);
        abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(sum, 0x0E));
        if (i < 12) {
          sum = _mm_sha256msg1_epu32(words[i & 3], words[(i + 1) & 3]);
          sum = _mm_add_epi32(sum, _mm_alignr_epi8(words[(i + 3) & 3], words[(i + 2) & 3], 4));
          words[i & 3] = _mm_sha256msg2_epu32(sum, words[(i + 3) & 3]);
        }
      }
    }
    for (int lane = 0; lane < lanes; lane++) {
      abef[lane] = _mm_add_epi32(abef[lane], abef_before[lane]);
      cdgh[lane] = _mm_add_epi32(cdgh[lane], cdgh_before[lane]);
    }
  }
  for (int lane = 0; lane < lanes; lane++) {
    __m128i feba = _mm_shuffle_epi32(abef[lane], 0x1B);
    __m128i dchg = _mm_shuffle_epi32(cdgh[lane], 0xB1);
    _mm_storeu_si128((__m128i *)states[lane], _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(states[lane] + 4), _mm_alignr_epi8(dchg, feba, 8));
  }
}
__attribute__((target("sha,sse4.1"))) static void sha256_blocks_native(uint32_t state[8], const uint8_t *data, size_t count) {
  sha256_lanes(1, &state, &data, count);
}
__attribute__((target("sha,sse4.1"))) static void sha256_four_native(
    uint32_t *const states[], const uint8_t *const data[], size_t count) {
  sha256_lanes(SHA256_LANES, states, data, count);
}
/* __builtin_cpu_supports of older compilers does not know the name "sha": leaf 7, EBX bit 29. */
static int sha256_has_native(void) {
  static int answer = -1; /* asking takes longer than hashing a block */
  unsigned int eax, ebx, ecx, edx;
  if (answer < 0) answer = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && ebx >> 29 & 1 && __builtin_cpu_supports("sse4.1");
  return answer;
}
#else
#define sha256_blocks_native sha256_blocks_portable
static void sha256_four_native(uint32_t *const states[], const uint8_t *const data[], size_t count) {
  for (int lane = 0; lane < SHA256_LANES; lane++) sha256_blocks_portable(states[lane], data[lane], count);
}
static int sha256_has_native(void) { return 0; }
#endif

typedef void (*sha256_blocks_function)(uint32_t *state, const uint8_t *data, size_t count);

static void sha256_blocks(uint32_t state[8], const uint8_t *data, size_t count) {
  static sha256_blocks_function chosen;
  if (!chosen) chosen = sha256_has_native() ? sha256_blocks_native : sha256_blocks_portable;
  chosen(state, data, count);
}

static void sha256_begin(sha256_context *context) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(context->state, initial, sizeof initial);
  context->length = 0;
}

static inline void sha256_add_by(sha256_blocks_function blocks, sha256_context *context, const void *bytes, size_t length) {
  const uint8_t *data = (const uint8_t *)bytes;
  size_t held = context->length % SHA256_BLOCK_BYTES;
  context->length += length;
  if (held + length < SHA256_BLOCK_BYTES) {
    memcpy(context->tail + held, data, length);
    return;
  }
  if (held) {
    size_t missing = SHA256_BLOCK_BYTES - held;
    memcpy(context->tail + held, data, missing);
    blocks(context->state, context->tail, 1);
    data += missing;
    length -= missing;
  }
  blocks(context->state, data, length / SHA256_BLOCK_BYTES);
  memcpy(context->tail, data + length / SHA256_BLOCK_BYTES * SHA256_BLOCK_BYTES, length % SHA256_BLOCK_BYTES);
}

static inline void sha256_end_by(sha256_blocks_function blocks, sha256_context *context, uint8_t digest[32]) {
  uint8_t padding[2 * SHA256_BLOCK_BYTES] = {0x80};
  uint64_t bits = context->length * 8;
  size_t held = context->length % SHA256_BLOCK_BYTES;
  size_t zeros_end = (held < SHA256_BLOCK_BYTES - 8 ? SHA256_BLOCK_BYTES : 2 * SHA256_BLOCK_BYTES) - held;
  sha256_store_word(padding + zeros_end - 8, (uint32_t)(bits >> 32));
  sha256_store_word(padding + zeros_end - 4, (uint32_t)bits);
  sha256_add_by(blocks, context, padding, zeros_end);
  for (int i = 0; i < 8; i++) sha256_store_word(digest + 4 * i, context->state[i]);
}

static void sha256_add(sha256_context *context, const void *bytes, size_t length) {
  sha256_add_by(sha256_blocks, context, bytes, length);
}

static void sha256_end(sha256_context *context, uint8_t digest[32]) { sha256_end_by(sha256_blocks, context, digest); }

static void sha256_prefixed(uint8_t prefix, const uint8_t *bytes, size_t length, uint8_t digest[32]) {
  sha256_context context;
  sha256_begin(&context);
  sha256_add(&context, &prefix, 1);
  sha256_add(&context, bytes, length);
  sha256_end(&context, digest);
}

/* The digests of four messages at once: each is the prefix, then its own ``length`` bytes, a multiple of 64 and not 0. These stand one
 * behind the other, and so do the digests, which may stand where the bytes stood. */
static void sha256_four_prefixed(uint8_t prefix, const uint8_t *bytes, size_t length, uint8_t *digests) {
  enum { BLOCK = SHA256_BLOCK_BYTES };
  sha256_context contexts[SHA256_LANES];
  uint8_t first[SHA256_LANES][BLOCK], last[SHA256_LANES][BLOCK] = {{0}};
  uint32_t *states[SHA256_LANES];
  const uint8_t *firsts[SHA256_LANES], *middles[SHA256_LANES], *lasts[SHA256_LANES];
  if (!sha256_has_native()) {
    for (int lane = 0; lane < SHA256_LANES; lane++) sha256_prefixed(prefix, bytes + lane * length, length, digests + 32 * lane);
    return;
  }
  for (int lane = 0; lane < SHA256_LANES; lane++) {
    const uint8_t *own = bytes + lane * length;
    sha256_begin(&contexts[lane]);
    states[lane] = contexts[lane].state;
    firsts[lane] = first[lane], middles[lane] = own + BLOCK - 1, lasts[lane] = last[lane];
    first[lane][0] = prefix;
    memcpy(first[lane] + 1, own, BLOCK - 1);
    last[lane][0] = own[length - 1]; /* all that the prefix pushed out of the block before */
    last[lane][1] = 0x80;
    sha256_store_word(last[lane] + BLOCK - 4, (uint32_t)(length + 1) * 8);
  }
  sha256_four_native(states, firsts, 1);
  sha256_four_native(states, middles, length / BLOCK - 1);
  sha256_four_native(states, lasts, 1);
  for (int lane = 0; lane < SHA256_LANES; lane++)
    for (int i = 0; i < 8; i++) sha256_store_word(digests + 32 * lane + 4 * i, contexts[lane].state[i]);
}

/* What a processor without the instructions computes; a test holds it against the other. */
static void sha256_portable(const void *bytes, size_t length, uint8_t digest[32]) {
  sha256_context context;
  sha256_begin(&context);
  sha256_add_by(sha256_blocks_portable, &context, bytes, length);
  sha256_end_by(sha256_blocks_portable, &context, digest);
}

#endif
