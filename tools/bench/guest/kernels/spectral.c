// Power iteration on the matrix 1 / ((i + j)(i + j + 1) / 2 + i + 1), computed on the fly: int to float, divisions.
#include "../bench.h"

const char bench_name[] = "spectral";

#define N 32
static double u[N], v[N], w[N];

void bench_setup(void) {}

static inline double element(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

__attribute__((noinline)) static void times(const double *from, double *to, int transposed) {
  for (int i = 0; i < N; i++) {
    double sum = 0;
    for (int j = 0; j < N; j++) sum += (transposed ? element(j, i) : element(i, j)) * from[j];
    to[i] = sum;
  }
}

uint64_t bench_iteration(void) {
  for (int i = 0; i < N; i++) u[i] = 1;
  for (int round = 0; round < 4; round++) {
    times(u, w, 0), times(w, v, 1);
    times(v, w, 0), times(w, u, 1);
  }
  double uv = 0, vv = 0;
  for (int i = 0; i < N; i++) uv += u[i] * v[i], vv += v[i] * v[i];
  return mix(0, bits_of(__builtin_sqrt(uv / vv)));
}
