/* The limit: what plain C does with the same work on this machine, to be run beside the engine and compared in ratios.
 *
 * Each event: a random 128-bit id looked up in, and added to, an open table; a household found by its number; two account updates
 * (the household's and one of 14 clearing accounts); a 96-byte record into a 1 MiB buffer. A second thread checksums each full buffer
 * (CRC-32C), writes it with O_DIRECT into a zero-filled file, and calls fdatasync. One event in 128 repeats an id.
 * No decoding, no network, no queries, no recovery, nothing read back: a ceiling, not a ledger.
 *
 *   cc -O3 -march=native -I. -o limit bench/limit.c -lpthread
 *   ./limit EVENTS HOUSEHOLDS FILE SEED        prints one line of JSON
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ledger/core/crc32c.h"

#define GROUP 64 /* events whose memory is asked for at once */
#define BUFFERS 4
#define BUFFER_BYTES (1u << 20)
#define CHANNELS 14
#define RECENT 1024 /* ids that a duplicate may repeat */
#define HUGE_PAGE ((size_t)2 << 20)

typedef struct { uint64_t low, high, seq; } id_cell;
typedef struct { uint64_t number, account; } household_cell;
typedef struct { uint64_t number, debits, credits, last_seq, events, padding[3]; } account;
typedef struct { uint64_t id_low, id_high, seq, number, amount, debits, credits, previous_seq, channel, event, padding[2]; } record;
_Static_assert(sizeof(account) == 64, "an account is a cache line");
_Static_assert(sizeof(record) == 96, "a record is as long as a journal entry");

typedef struct { uint64_t low, high, number; uint32_t amount, channel; id_cell *id; household_cell *household; account *account; } event;

static struct {
  char *bytes[BUFFERS];
  uint32_t used[BUFFERS]; /* 0: the writer ends */
  sem_t empty, full;
  int file;
  uint64_t byte_offset, syncs;
} journal;

static id_cell *ids;
static uint64_t id_count;
static household_cell *households;
static uint64_t household_cells;
static account *accounts, clearing[CHANNELS];

static void fail(const char *what) {
  fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
  uint64_t x = *state += 0x9E3779B97F4A7C15u;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

static uint64_t scaled(uint64_t random, uint64_t count) { return (uint64_t)((unsigned __int128)random * count >> 64); }
static uint64_t number_of(uint64_t rank) { return 3300000000000u + (rank * 6180339887u + 14142135623u) % 100000000000u; }
static household_cell *home_of(uint64_t number) { return &households[scaled(number * 0x9E3779B97F4A7C15u, household_cells)]; }

/* Zeroed memory in huge pages, every page touched before the clock runs. */
static void *reserve(size_t bytes) {
  bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
  char *memory = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  memory = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));
  madvise(memory, bytes, MADV_HUGEPAGE);
  for (size_t at = 0; at < bytes; at += 4096) ((volatile char *)memory)[at] = 0;
  return memory;
}

static void open_households(uint64_t count) {
  household_cells = count * 2;
  households = reserve((household_cells + 1024) * sizeof *households);
  accounts = reserve(count * sizeof *accounts);
  for (uint64_t rank = 0; rank < count; rank++) {
    household_cell *cell = home_of(number_of(rank));
    while (cell->number) cell++;
    cell->number = number_of(rank);
    cell->account = rank * 2654435761u % count; /* in no order that the numbers have */
    accounts[cell->account].number = cell->number;
  }
}

static void open_journal(const char *path, uint64_t bytes) {
  journal.file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (journal.file < 0 || posix_fallocate(journal.file, 0, (off_t)bytes) != 0) fail(path);
  for (int i = 0; i < BUFFERS; i++) {
    journal.bytes[i] = aligned_alloc(4096, BUFFER_BYTES);
    memset(journal.bytes[i], 0, BUFFER_BYTES);
  }
  for (uint64_t at = 0; at < bytes; at += BUFFER_BYTES)
    if (pwrite(journal.file, journal.bytes[0], BUFFER_BYTES, (off_t)at) != BUFFER_BYTES) fail("zero fill");
  if (fsync(journal.file) != 0) fail("fsync");
  close(journal.file);
  journal.file = open(path, O_RDWR | O_DIRECT);
  if (journal.file < 0) fail("O_DIRECT");
  sem_init(&journal.empty, 0, BUFFERS);
  sem_init(&journal.full, 0, 0);
}

static void *write_journal(void *unused) {
  (void)unused;
  for (int turn = 0;; turn = (turn + 1) % BUFFERS) {
    sem_wait(&journal.full);
    if (!journal.used[turn]) return NULL;
    uint32_t crc = crc32c(0, journal.bytes[turn] + 64, journal.used[turn] - 64);
    memcpy(journal.bytes[turn], &crc, sizeof crc);
    size_t bytes = (journal.used[turn] + 4095u) & ~(size_t)4095;
    if (pwrite(journal.file, journal.bytes[turn], bytes, (off_t)journal.byte_offset) != (ssize_t)bytes) fail("pwrite");
    if (fdatasync(journal.file) != 0) fail("fdatasync");
    journal.byte_offset += bytes;
    journal.syncs++;
    sem_post(&journal.empty);
  }
}

/* Draw a group of events and ask for the memory that each will touch. */
static void draw_group(event *group, uint64_t count, uint64_t *state, uint64_t recent[RECENT][2], uint64_t turn) {
  for (int i = 0; i < GROUP; i++) {
    event *e = &group[i];
    uint64_t *place = recent[(turn + (uint64_t)i) % RECENT];
    uint64_t random = next_random(state);
    e->low = next_random(state) | 1;
    e->high = next_random(state);
    if (random % 128 == 0 && place[0]) e->low = place[0], e->high = place[1];
    place[0] = e->low, place[1] = e->high;
    e->number = number_of(scaled(next_random(state), count));
    e->amount = (uint32_t)(random >> 8 & 0xFFFF) + 1;
    e->channel = (uint32_t)(random >> 40) % CHANNELS;
    e->id = &ids[scaled(e->low * 0x9E3779B97F4A7C15u ^ e->high, id_count)];
    e->household = home_of(e->number);
    __builtin_prefetch(e->id, 1, 3);
    __builtin_prefetch((char *)e->id + sizeof *e->id - 1, 1, 3);
    __builtin_prefetch(e->household, 0, 3);
  }
}

static void find_accounts(event *group) {
  for (int i = 0; i < GROUP; i++) {
    household_cell *cell = group[i].household;
    while (cell->number != group[i].number) cell++;
    group[i].account = &accounts[cell->account];
    __builtin_prefetch(group[i].account, 1, 3);
  }
}

/* Apply one event; false where its id is known. */
static bool apply(const event *e, uint64_t seq, uint64_t number, record *out) {
  id_cell *cell = e->id;
  for (; cell->low; cell++)
    if (cell->low == e->low && cell->high == e->high) return false;
  account *debit = &clearing[e->channel], *credit = e->account;
  *cell = (id_cell){e->low, e->high, seq};
  *out = (record){e->low, e->high, seq, e->number, e->amount, debit->debits, credit->credits, credit->last_seq, e->channel, number, {0}};
  debit->debits += e->amount, credit->credits += e->amount;
  debit->last_seq = credit->last_seq = seq;
  debit->events++, credit->events++;
  return true;
}

static uint64_t apply_all(uint64_t events, uint64_t household_count, uint64_t seed) {
  static uint64_t recent[RECENT][2];
  event group[GROUP];
  uint64_t seq = 0;
  int turn = 0;
  uint32_t used = 64;
  sem_wait(&journal.empty);
  for (uint64_t first = 0; first < events; first += GROUP) {
    draw_group(group, household_count, &seed, recent, first);
    find_accounts(group);
    for (int i = 0; i < GROUP; i++) {
      if (!apply(&group[i], seq + 1, first + (uint64_t)i, (record *)(journal.bytes[turn] + used))) continue;
      seq++;
      used += sizeof(record);
      if (used + sizeof(record) <= BUFFER_BYTES) continue;
      journal.used[turn] = used;
      sem_post(&journal.full);
      sem_wait(&journal.empty);
      turn = (turn + 1) % BUFFERS;
      used = 64;
    }
  }
  journal.used[turn] = used;
  sem_post(&journal.full);
  sem_wait(&journal.empty);
  journal.used[(turn + 1) % BUFFERS] = 0;
  sem_post(&journal.full);
  return seq;
}

static bool is_balanced(uint64_t household_count) {
  uint64_t debits = 0, credits = 0;
  for (int i = 0; i < CHANNELS; i++) debits += clearing[i].debits;
  for (uint64_t i = 0; i < household_count; i++) credits += accounts[i].credits;
  return debits == credits;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s EVENTS HOUSEHOLDS FILE SEED\n", argv[0]);
    return 2;
  }
  uint64_t events = strtoull(argv[1], NULL, 10) / GROUP * GROUP, household_count = strtoull(argv[2], NULL, 10);
  pthread_t writer;
  id_count = events * 5 / 3 + 1;
  ids = reserve((id_count + 1024) * sizeof *ids);
  open_households(household_count);
  open_journal(argv[3], (events * sizeof(record) / (BUFFER_BYTES - 4096) + 2) * BUFFER_BYTES);
  pthread_create(&writer, NULL, write_journal, NULL);
  double start = now_s();
  uint64_t applied = apply_all(events, household_count, strtoull(argv[4], NULL, 10));
  double in_memory = now_s();
  pthread_join(writer, NULL);
  double durable = now_s();
  printf("{\"events\": %llu, \"applied\": %llu, \"households\": %llu, \"events_per_s\": %.0f, \"apply_events_per_s\": %.0f, "
         "\"journal_bytes\": %llu, \"syncs\": %llu, \"balanced\": %s}\n",
         (unsigned long long)events, (unsigned long long)applied, (unsigned long long)household_count,
         (double)events / (durable - start), (double)events / (in_memory - start), (unsigned long long)journal.byte_offset,
         (unsigned long long)journal.syncs, is_balanced(household_count) ? "true" : "false");
  close(journal.file);
  return unlink(argv[3]);
}
