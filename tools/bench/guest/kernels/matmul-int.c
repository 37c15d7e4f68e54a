// Product of two 48 x 48 matrices of 32-bit integers.
#include "../bench.h"

const char bench_name[] = "matmul-int";

#define N 48
static int32_t a[N][N], b[N][N], c[N][N];

void bench_setup(void) {
  uint64_t seed = 2;
  for (unsigned i = 0; i < N; i++)
    for (unsigned j = 0; j < N; j++) {
      a[i][j] = (int32_t)(next_random(&seed) >> 48);
      b[i][j] = (int32_t)(next_random(&seed) >> 48);
    }
}

uint64_t bench_iteration(void) {
  uint64_t hash = 0;
  for (unsigned i = 0; i < N; i++)
    for (unsigned j = 0; j < N; j++) {
      uint32_t sum = 0;
      for (unsigned k = 0; k < N; k++) sum += (uint32_t)a[i][k] * (uint32_t)b[k][j];
      c[i][j] = (int32_t)sum;
    }
  for (unsigned i = 0; i < N; i++) hash = mix(hash, (uint32_t)c[i][N - 1 - i]);
  return hash;
}
