// What a kernel is and what a platform gives it. A kernel is compiled once and linked into both programs.
#ifndef BENCH_H
#define BENCH_H
#include <stddef.h>
#include <stdint.h>

// A kernel: setup runs once; every iteration does the same work and returns the same checksum.
extern const char bench_name[];
void bench_setup(void);
uint64_t bench_iteration(void);

// A platform: bare machine mode, or a Linux process.
void platform_write(const char *text, size_t length);

static inline uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

// xorshift64*: the same numbers everywhere.
static inline uint64_t next_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 0x2545f4914f6cdd1du;
}

static inline uint64_t bits_of(double value) {
  union { double d; uint64_t u; } both = {.d = value};
  return both.u;
}
#endif
