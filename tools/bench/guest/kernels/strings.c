// Branchy text work: words are split, folded, compared, counted in a hash table, searched, and numbers are read.
#include "../bench.h"

const char bench_name[] = "strings";

#define LENGTH 6000
#define SLOTS 1024
static char text[LENGTH + 1], folded[LENGTH + 1];
static struct { const char *word; unsigned length, count; } slots[SLOTS];

static const char *const syllables[] = {"ka", "Ri", "mo", "ten", "su", "LA", "vor", "i", "nex", "17", "404", "ba", "qu", "Os"};

void bench_setup(void) {
  uint64_t seed = 3;
  unsigned at = 0;
  while (at < LENGTH - 16) {
    unsigned parts = 1 + (unsigned)(next_random(&seed) >> 62);
    for (unsigned i = 0; i < parts; i++)
      for (const char *s = syllables[(next_random(&seed) >> 32) % 14]; *s; s++) text[at++] = *s;
    text[at++] = " \n,.; "[(next_random(&seed) >> 32) % 6];
  }
  text[at] = 0;
}

static char fold(char c) {
  if (c >= 'A' && c <= 'Z') return (char)(c + 32);
  return c;
}

static int in_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

static int same(const char *a, const char *b, unsigned length) {
  while (length && *a == *b) a++, b++, length--;
  return length == 0;
}

__attribute__((noinline)) static void count_word(const char *word, unsigned length) {
  uint32_t hash = 5381;
  for (unsigned i = 0; i < length; i++) hash = hash * 33 + (uint8_t)word[i];
  for (unsigned i = hash % SLOTS;; i = (i + 1) % SLOTS) {
    if (slots[i].word == NULL) {
      slots[i].word = word, slots[i].length = length, slots[i].count = 1;
      return;
    }
    if (slots[i].length == length && same(slots[i].word, word, length)) {
      slots[i].count++;
      return;
    }
  }
}

__attribute__((noinline)) static int64_t read_number(const char *word, unsigned length) {
  int64_t value = 0;
  for (unsigned i = 0; i < length; i++) {
    if (word[i] < '0' || word[i] > '9') return -1;
    value = value * 10 + (word[i] - '0');
  }
  return value;
}

__attribute__((noinline)) static unsigned occurrences(const char *in, const char *needle) {
  unsigned found = 0;
  for (; *in; in++) {
    const char *a = in, *b = needle;
    while (*b && *a == *b) a++, b++;
    if (!*b) found++;
  }
  return found;
}

uint64_t bench_iteration(void) {
  uint64_t hash = 0;
  for (unsigned i = 0; i < SLOTS; i++) slots[i].word = NULL;
  unsigned length = 0;
  for (; text[length]; length++) folded[length] = fold(text[length]);
  folded[length] = 0;
  for (unsigned at = 0; at < length;) {
    while (at < length && !in_word(folded[at])) at++;
    unsigned start = at;
    while (at < length && in_word(folded[at])) at++;
    if (at == start) break;
    count_word(folded + start, at - start);
    int64_t value = read_number(folded + start, at - start);
    if (value >= 0) hash = mix(hash, (uint64_t)value);
  }
  hash = mix(hash, occurrences(folded, "kari"));
  hash = mix(hash, occurrences(folded, "404"));
  for (unsigned i = 0; i < SLOTS; i++)
    if (slots[i].word) hash = mix(hash, slots[i].count * 256u + slots[i].length);
  return hash;
}
