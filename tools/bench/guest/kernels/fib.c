// Recursion: calls and returns, and little else.
#include "../bench.h"

const char bench_name[] = "fib";

__attribute__((noinline, noclone, optimize("no-inline", "no-optimize-sibling-calls"))) static uint64_t fib(uint64_t n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static volatile uint64_t depth = 20;

void bench_setup(void) {}

uint64_t bench_iteration(void) { return mix(0, fib(depth)); }
