// Conversions between integers and both float widths, square roots, divisions, comparisons, minima and sign tricks.
#include "../bench.h"

const char bench_name[] = "convert";

#define N 1024
static int64_t whole[N];

void bench_setup(void) {
  uint64_t seed = 9;
  for (unsigned i = 0; i < N; i++) whole[i] = (int64_t)next_random(&seed) >> (i % 40);
}

uint64_t bench_iteration(void) {
  uint64_t hash = 0;
  double total = 0;
  float small = 1;
  for (unsigned i = 0; i < N; i++) {
    double d = (double)whole[i];
    float f = (float)(int32_t)whole[i];
    double root = __builtin_sqrt(__builtin_fabs(d));
    float root_f = __builtin_sqrtf(f < 0 ? -f : f) + 0.5f;
    double quotient = d / (root + 1.0);
    float quotient_f = f / root_f;
    total += quotient < (double)quotient_f ? quotient : (double)quotient_f;
    small = small * 0.5f + (float)quotient * 1e-9f;
    hash += (uint64_t)(int64_t)root ^ (uint64_t)(int64_t)(int32_t)root_f ^ (uint64_t)(uint32_t)(int32_t)(quotient_f * 0.25f);
    if (__builtin_copysign(1.0, d) > 0) hash = mix(hash, (uint64_t)(int64_t)quotient);
  }
  return mix(mix(hash, bits_of(total)), bits_of(small));
}
