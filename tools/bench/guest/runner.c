// Warms a kernel up until its time stands still, then times it with the guest's own 10 MHz clock.
#include "bench.h"

#define TICKS_PER_MS 10000u
#define NS_PER_TICK 100u
#define CHUNK_TICKS (2 * TICKS_PER_MS)
#define WINDOW_TICKS (500 * TICKS_PER_MS)
#define MOST_CHUNKS 4096

#ifndef WARM_MS
#define WARM_MS 2000
#endif
#ifndef MOST_WARM_MS
#define MOST_WARM_MS 6000
#endif
#ifndef TIMED_MS
#define TIMED_MS 1000
#endif

static uint64_t picoseconds[MOST_CHUNKS];

static inline uint64_t now(void) {
  uint64_t ticks;
  __asm__ volatile("rdtime %0" : "=r"(ticks)::"memory");
  return ticks;
}

static void write_text(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  platform_write(text, length);
}

static void write_number(uint64_t value, unsigned base) {
  char digits[24];
  unsigned at = sizeof digits;
  do {
    digits[--at] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  platform_write(digits + at, sizeof digits - at);
}

static uint64_t checksum;
static int differs;

// Runs `count` iterations; gives picoseconds per iteration.
static uint64_t run_chunk(uint64_t count) {
  uint64_t start = now();
  for (uint64_t i = 0; i < count; i++) differs |= bench_iteration() != checksum;
  return (now() - start) * (NS_PER_TICK * 1000u) / count;
}

static void sort(uint64_t *values, size_t count) {
  for (size_t gap = count / 2; gap > 0; gap /= 2)
    for (size_t i = gap; i < count; i++) {
      uint64_t value = values[i];
      size_t j = i;
      for (; j >= gap && values[j - gap] > value; j -= gap) values[j] = values[j - gap];
      values[j] = value;
    }
}

int main(void) {
  bench_setup();
  checksum = bench_iteration();

  // A chunk is as many iterations as take some 2 ms, so that most chunks see no other process.
  uint64_t begin = now(), count = 1, last_best = 0;
  for (;;) {
    uint64_t best = ~(uint64_t)0, window = now();
    while (now() - window < WINDOW_TICKS) {
      uint64_t each = run_chunk(count);
      if (each < best) best = each;
      uint64_t fitting = (uint64_t)CHUNK_TICKS * NS_PER_TICK * 1000u / (best ? best : 1);
      count = fitting ? fitting : 1;
    }
    uint64_t warm = now() - begin;
    int stable = last_best && best * 100 >= last_best * 97 && best * 97 <= last_best * 100;
    last_best = best;
    if (warm >= (uint64_t)MOST_WARM_MS * TICKS_PER_MS) break;
    if (warm >= (uint64_t)WARM_MS * TICKS_PER_MS && stable) break;
  }

  write_text("@start ");
  write_text(bench_name);
  write_text("\n");
  size_t chunks = 0;
  uint64_t start = now();
  while (chunks < MOST_CHUNKS && now() - start < (uint64_t)TIMED_MS * TICKS_PER_MS) picoseconds[chunks++] = run_chunk(count);
  uint64_t elapsed = now() - start;
  write_text("@end ");
  write_text(bench_name);
  write_text("\n");
  // The host looks at this CPU's thread when it reads the line: the thread must still be there.
  for (uint64_t printed = now(); now() - printed < 100 * TICKS_PER_MS;) {
  }
  sort(picoseconds, chunks);

  write_text("@result ");
  write_text(bench_name);
  write_text(" iterations=");
  write_number(count * chunks, 10);
  write_text(" wall_ns=");
  write_number(elapsed * NS_PER_TICK, 10);
  write_text(" median_ps=");
  write_number(picoseconds[chunks / 2], 10);
  write_text(" best_ps=");
  write_number(picoseconds[0], 10);
  write_text(" checksum=");
  write_number(checksum, 16);
  write_text(differs ? " UNSTEADY\n" : "\n");
  return differs;
}
