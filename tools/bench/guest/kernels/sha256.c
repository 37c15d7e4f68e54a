// SHA-256 (FIPS 180-4) of 16 KiB.
#include "../bench.h"

const char bench_name[] = "sha256";

#define LENGTH 16384
static uint8_t message[LENGTH];
static uint32_t constants[64], initial[8];

// The constants are the fractions of the cube and square roots of the first primes: found by integer roots.
static uint32_t root_fraction(uint64_t prime, int cube) {
  unsigned __int128 low = 0, high = (unsigned __int128)1 << 40;
  while (high - low > 1) {
    unsigned __int128 middle = (low + high) / 2;
    // middle is a root scaled by 2^32: its square stands at 2^64, its cube at 2^96.
    int over = cube ? middle * middle * middle > (unsigned __int128)prime << 96
                    : middle * middle > (unsigned __int128)prime << 64;
    if (over) high = middle;
    else low = middle;
  }
  return (uint32_t)low;
}

void bench_setup(void) {
  unsigned found = 0;
  for (uint64_t n = 2; found < 64; n++) {
    int prime = 1;
    for (uint64_t d = 2; d * d <= n; d++)
      if (n % d == 0) prime = 0;
    if (!prime) continue;
    if (found < 8) initial[found] = root_fraction(n, 0);
    constants[found++] = root_fraction(n, 1);
  }
  uint64_t seed = 1;
  for (unsigned i = 0; i < LENGTH; i++) message[i] = (uint8_t)(next_random(&seed) >> 56);
}

static inline uint32_t right(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static void compress(uint32_t *state, const uint8_t *block) {
  uint32_t w[64];
  for (unsigned i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
           block[4 * i + 3];
  for (unsigned i = 16; i < 64; i++) {
    uint32_t s0 = right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t s1 = right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (unsigned i = 0; i < 64; i++) {
    uint32_t t1 = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    uint32_t t2 = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

uint64_t bench_iteration(void) {
  uint32_t state[8];
  for (unsigned i = 0; i < 8; i++) state[i] = initial[i];
  for (unsigned at = 0; at < LENGTH; at += 64) compress(state, message + at);
  uint8_t last[64] = {0x80};
  uint64_t bits = (uint64_t)LENGTH * 8;
  for (unsigned i = 0; i < 8; i++) last[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
  compress(state, last);
  uint64_t hash = 0;
  for (unsigned i = 0; i < 8; i++) hash = mix(hash, state[i]);
  return hash;
}
