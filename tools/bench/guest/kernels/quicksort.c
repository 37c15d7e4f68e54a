// Quicksort of records through a comparison function pointer.
#include "../bench.h"

const char bench_name[] = "quicksort";

#define N 2000
typedef struct { uint32_t key, tag; } Record;
typedef int (*Compare)(const void *, const void *);
static Record source[N], records[N];

static int by_key(const void *a, const void *b) {
  uint32_t x = ((const Record *)a)->key, y = ((const Record *)b)->key;
  return x < y ? -1 : x > y;
}

static int by_tag(const void *a, const void *b) {
  uint32_t x = ((const Record *)a)->tag, y = ((const Record *)b)->tag;
  return x < y ? -1 : x > y;
}

static Compare volatile orders[2] = {by_key, by_tag};

void bench_setup(void) {
  uint64_t seed = 4;
  for (unsigned i = 0; i < N; i++) source[i].key = (uint32_t)(next_random(&seed) >> 40), source[i].tag = i;
}

__attribute__((noinline)) static void quicksort(Record *from, Record *to, Compare compare) {
  while (to - from > 8) {
    Record pivot = from[(to - from) / 2];
    Record *left = from, *right = to - 1;
    for (;;) {
      while (compare(left, &pivot) < 0) left++;
      while (compare(&pivot, right) < 0) right--;
      if (left >= right) break;
      Record swapped = *left;
      *left++ = *right;
      *right-- = swapped;
    }
    if (left == right && compare(left, &pivot) < 0) left++;
    quicksort(from, left, compare);
    from = left;
  }
  for (Record *i = from + 1; i < to; i++) {
    Record moved = *i;
    Record *j = i;
    for (; j > from && compare(&moved, j - 1) < 0; j--) *j = j[-1];
    *j = moved;
  }
}

uint64_t bench_iteration(void) {
  for (unsigned i = 0; i < N; i++) records[i] = source[i];
  uint64_t hash = 0;
  for (unsigned order = 0; order < 2; order++) {
    quicksort(records, records + N, orders[order]);
    for (unsigned i = 0; i < N; i += 61) hash = mix(hash, records[i].key);
  }
  return hash;
}
