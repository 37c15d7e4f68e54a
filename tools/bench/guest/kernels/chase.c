// Pointer chase: a linked list in random order over 256 KiB.
#include "../bench.h"

const char bench_name[] = "chase";

#define N 8192
typedef struct Node { struct Node *next; uint64_t value, pad[2]; } Node;
static Node nodes[N];
static uint16_t order[N];

void bench_setup(void) {
  uint64_t seed = 5;
  for (unsigned i = 0; i < N; i++) order[i] = (uint16_t)i, nodes[i].value = next_random(&seed);
  for (unsigned i = N - 1; i > 0; i--) {
    unsigned j = (unsigned)((next_random(&seed) >> 32) % (i + 1));
    uint16_t swapped = order[i];
    order[i] = order[j], order[j] = swapped;
  }
  for (unsigned i = 0; i < N; i++) nodes[order[i]].next = &nodes[order[(i + 1) % N]];
}

uint64_t bench_iteration(void) {
  uint64_t sum = 0;
  const Node *node = nodes;
  for (unsigned round = 0; round < 4; round++)
    for (unsigned i = 0; i < N; i++) {
      sum += node->value ^ i;
      node = node->next;
    }
  return mix(0, sum);
}
