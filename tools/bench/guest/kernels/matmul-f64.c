// Product of two 40 x 40 matrices of 64-bit floats: the compiler makes fused multiply-adds.
#include "../bench.h"

const char bench_name[] = "matmul-f64";

#define N 40
static double a[N][N], b[N][N], c[N][N];

void bench_setup(void) {
  uint64_t seed = 64;
  for (unsigned i = 0; i < N; i++)
    for (unsigned j = 0; j < N; j++) {
      a[i][j] = (double)(int32_t)(next_random(&seed) >> 33) / 1000003;
      b[i][j] = (double)(int32_t)(next_random(&seed) >> 33) / 1000003;
    }
}

uint64_t bench_iteration(void) {
  for (unsigned i = 0; i < N; i++)
    for (unsigned j = 0; j < N; j++) {
      double sum = 0;
      for (unsigned k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  uint64_t hash = 0;
  for (unsigned i = 0; i < N; i++) hash = mix(hash, bits_of(c[i][N - 1 - i]));
  return hash;
}
