// Product of two 40 x 40 matrices of 32-bit floats: the compiler makes fused multiply-adds.
#include "../bench.h"

const char bench_name[] = "matmul-f32";

#define N 40
static float a[N][N], b[N][N], c[N][N];

void bench_setup(void) {
  uint64_t seed = 32;
  for (unsigned i = 0; i < N; i++)
    for (unsigned j = 0; j < N; j++) {
      a[i][j] = (float)(int32_t)(next_random(&seed) >> 33) / 1000003;
      b[i][j] = (float)(int32_t)(next_random(&seed) >> 33) / 1000003;
    }
}

uint64_t bench_iteration(void) {
  for (unsigned i = 0; i < N; i++)
    for (unsigned j = 0; j < N; j++) {
      float sum = 0;
      for (unsigned k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  uint64_t hash = 0;
  for (unsigned i = 0; i < N; i++) hash = mix(hash, bits_of(c[i][N - 1 - i]));
  return hash;
}
