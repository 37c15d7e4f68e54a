// Escape times of a grid of points, 64-bit floats: multiplications, additions and one comparison a step.
#include "../bench.h"

const char bench_name[] = "mandelbrot";

#define SIDE 24
#define LIMIT 100

void bench_setup(void) {}

uint64_t bench_iteration(void) {
  uint64_t hash = 0;
  for (int row = 0; row < SIDE; row++)
    for (int column = 0; column < SIDE; column++) {
      double cr = column * (3.0 / SIDE) - 2.2, ci = row * (2.4 / SIDE) - 1.2;
      double r = 0, i = 0;
      unsigned steps = 0;
      while (steps < LIMIT && r * r + i * i < 4.0) {
        double next = r * r - i * i + cr;
        i = 2 * r * i + ci;
        r = next;
        steps++;
      }
      hash = mix(hash, steps);
    }
  return hash;
}
