// Five bodies under gravity, 64-bit floats: dependent multiply-adds, a square root and a division per pair.
#include "../bench.h"

const char bench_name[] = "nbody";

#define BODIES 5
typedef struct { double x, y, z, vx, vy, vz, mass; } Body;
static Body initial[BODIES], bodies[BODIES];

void bench_setup(void) {
  uint64_t seed = 8;
  for (unsigned i = 0; i < BODIES; i++) {
    double values[6];
    for (unsigned j = 0; j < 6; j++) values[j] = (double)(int64_t)(next_random(&seed) >> 20) / (1ull << 43) - 1.0;
    initial[i] = (Body){values[0] * 10 * (i + 1), values[1] * 10 * (i + 1), values[2] * 5, values[3], values[4],
                        values[5] * 0.1, i == 0 ? 39.5 : 0.01 * i};
  }
}

static void advance(double dt) {
  for (unsigned i = 0; i < BODIES; i++) {
    Body *a = &bodies[i];
    for (unsigned j = i + 1; j < BODIES; j++) {
      Body *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double squared = dx * dx + dy * dy + dz * dz;
      double pull = dt / (squared * __builtin_sqrt(squared));
      a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
      b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
    }
  }
  for (unsigned i = 0; i < BODIES; i++) {
    Body *a = &bodies[i];
    a->x += dt * a->vx, a->y += dt * a->vy, a->z += dt * a->vz;
  }
}

uint64_t bench_iteration(void) {
  for (unsigned i = 0; i < BODIES; i++) bodies[i] = initial[i];
  for (unsigned i = 0; i < 100; i++) advance(0.001);
  uint64_t hash = 0;
  for (unsigned i = 0; i < BODIES; i++) hash = mix(mix(hash, bits_of(bodies[i].x)), bits_of(bodies[i].vy));
  return hash;
}
