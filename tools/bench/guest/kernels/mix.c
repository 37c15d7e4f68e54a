// What embedded programs do, mixed: lists, small matrices, a state machine over text, and a CRC over it all.
#include "../bench.h"

const char bench_name[] = "mix";

typedef struct Item { struct Item *next; int16_t value, index; } Item;

#define ITEMS 120
#define DIM 12
static Item items[ITEMS];
static int16_t left[DIM][DIM], right_[DIM][DIM];
static int32_t product[DIM][DIM];
static char input[512];

static uint16_t crc16(uint16_t crc, uint16_t value) {
  for (unsigned i = 0; i < 16; i++) {
    unsigned bit = (crc ^ value) & 1;
    crc >>= 1, value >>= 1;
    if (bit) crc ^= 0xa001;
  }
  return crc;
}

void bench_setup(void) {
  uint64_t seed = 6;
  for (unsigned i = 0; i < DIM; i++)
    for (unsigned j = 0; j < DIM; j++)
      left[i][j] = (int16_t)(next_random(&seed) >> 52), right_[i][j] = (int16_t)(next_random(&seed) >> 52);
  static const char *const tokens[] = {"12", "-7", "3.25", "1e5", "+0.5e-3", "x9", "4.", "--1", "65535"};
  unsigned at = 0;
  while (at < sizeof input - 12) {
    for (const char *s = tokens[(next_random(&seed) >> 32) % 9]; *s; s++) input[at++] = *s;
    input[at++] = ',';
  }
  input[at] = 0;
}

// --- lists
static Item *build_list(void) {
  uint64_t seed = 7;
  for (int i = 0; i < ITEMS; i++) {
    items[i].next = i + 1 < ITEMS ? &items[i + 1] : NULL;
    items[i].value = (int16_t)(next_random(&seed) >> 50), items[i].index = (int16_t)i;
  }
  return items;
}

static Item *reverse(Item *list) {
  Item *done = NULL;
  while (list) {
    Item *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static int before_by_value(const Item *a, const Item *b) { return a->value <= b->value; }
static int before_by_index(const Item *a, const Item *b) { return a->index <= b->index; }

__attribute__((noinline)) static Item *merge_sort(Item *list, unsigned count, int (*before)(const Item *, const Item *)) {
  if (count == 1) {
    list->next = NULL;
    return list;
  }
  Item *second = list;
  for (unsigned i = 0; i < count / 2; i++) second = second->next;
  Item *b = merge_sort(second, count - count / 2, before);
  Item *a = merge_sort(list, count / 2, before);
  Item *head = NULL, **end = &head;
  while (a && b) {
    Item **from = before(a, b) ? &a : &b;
    *end = *from;
    end = &(*from)->next;
    *from = (*from)->next;
  }
  *end = a ? a : b;
  return head;
}

static const Item *find(const Item *list, int16_t value) {
  while (list && list->value != value) list = list->next;
  return list;
}

__attribute__((noinline)) static uint16_t bench_list(uint16_t crc) {
  Item *list = reverse(build_list());
  for (int16_t wanted = 0; wanted < 12; wanted++) {
    const Item *found = find(list, (int16_t)(wanted * 977));
    crc = crc16(crc, found ? (uint16_t)found->index : 0xffff);
    list = reverse(list);
  }
  list = merge_sort(list, ITEMS, before_by_value);
  for (const Item *item = list; item; item = item->next->next) {
    crc = crc16(crc, (uint16_t)item->value);
    if (!item->next) break;
  }
  list = merge_sort(list, ITEMS, before_by_index);
  return crc16(crc, (uint16_t)list->value);
}

// --- matrices
__attribute__((noinline)) static uint16_t bench_matrix(uint16_t crc) {
  for (int16_t round = 1; round < 3; round++) {
    for (unsigned i = 0; i < DIM; i++)
      for (unsigned j = 0; j < DIM; j++) {
        int32_t sum = 0;
        for (unsigned k = 0; k < DIM; k++) sum += left[i][k] * (right_[k][j] + round);
        product[i][j] = sum;
      }
    int32_t total = 0, previous = 0;
    for (unsigned i = 0; i < DIM; i++)
      for (unsigned j = 0; j < DIM; j++) {
        int32_t bits = (product[i][j] >> 2) & 0xff;
        total += bits > 100 ? 10 : product[i][j] > previous ? 1 : 0;
        previous = product[i][j];
      }
    crc = crc16(crc, (uint16_t)total);
  }
  return crc;
}

// --- state machine
enum State { START, SIGNED, WHOLE, FRACTION, EXPONENT, EXPONENT_SIGNED, SCIENTIFIC, INVALID, STATES };

static enum State step(enum State state, char c) {
  int digit = c >= '0' && c <= '9';
  switch (state) {
    case START: return digit ? WHOLE : c == '+' || c == '-' ? SIGNED : c == '.' ? FRACTION : INVALID;
    case SIGNED: return digit ? WHOLE : c == '.' ? FRACTION : INVALID;
    case WHOLE: return digit ? WHOLE : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : INVALID;
    case EXPONENT: return digit ? SCIENTIFIC : c == '+' || c == '-' ? EXPONENT_SIGNED : INVALID;
    case EXPONENT_SIGNED:
    case SCIENTIFIC: return digit ? SCIENTIFIC : INVALID;
    default: return INVALID;
  }
}

__attribute__((noinline)) static uint16_t bench_states(uint16_t crc) {
  uint32_t ends[STATES] = {0}, passes[STATES] = {0};
  enum State state = START;
  for (const char *c = input; *c; c++) {
    if (*c == ',') {
      ends[state]++;
      state = START;
      continue;
    }
    state = step(state, *c);
    passes[state]++;
  }
  for (unsigned i = 0; i < STATES; i++) crc = crc16(crc16(crc, (uint16_t)ends[i]), (uint16_t)passes[i]);
  return crc;
}

uint64_t bench_iteration(void) {
  uint16_t crc = 0;
  for (unsigned round = 0; round < 4; round++) crc = bench_states(bench_matrix(bench_list(crc)));
  return mix(0, crc);
}
