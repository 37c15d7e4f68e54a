// Figures of devices, measured in the guest: a static Linux program.
//   split-bench random DEVICE DEPTH SECONDS      4 KiB reads at random, DEPTH under way
//   split-bench latency DEVICE SECONDS           the same, one at a time: time of each
//   split-bench sequential DEVICE DEPTH SECONDS  1 MiB reads, one after another
//   split-bench register ADDRESS COUNT           32-bit reads of a device's register
// Each prints one line that begins with '@'.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST 128
#define SAMPLES 200000

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static uint64_t state = 88172645463325252ull;
static uint64_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static void fail(const char *what) {
  printf("@failed %s: %s\n", what, strerror(errno));
  exit(1);
}

static int open_device(const char *path, uint64_t *bytes) {
  int fd = open(path, O_RDONLY | O_DIRECT);
  if (fd < 0 || ioctl(fd, BLKGETSIZE64, bytes) != 0) fail(path);
  return fd;
}

/** Reads of `size` with `depth` under way, at random or in order, for a time; prints how many a second. */
static void stream(const char *name, const char *path, unsigned depth, double seconds, size_t size, int random) {
  uint64_t bytes;
  int fd = open_device(path, &bytes);
  uint64_t places = bytes / size, next = 0;
  aio_context_t context = 0;
  struct iocb blocks[MOST], *pointers[MOST];
  struct io_event events[MOST];
  unsigned char *buffers;
  if (depth > MOST || posix_memalign((void **)&buffers, 4096, size * depth) != 0) fail("memory");
  if (syscall(SYS_io_setup, depth, &context) != 0) fail("io_setup");
  memset(blocks, 0, sizeof blocks);
  for (unsigned index = 0; index < depth; index++) {
    blocks[index].aio_data = index;
    blocks[index].aio_lio_opcode = IOCB_CMD_PREAD;
    blocks[index].aio_fildes = fd;
    blocks[index].aio_buf = (uintptr_t)(buffers + size * index);
    blocks[index].aio_nbytes = size;
    blocks[index].aio_offset = (random ? draw() % places : next++ % places) * size;
    pointers[index] = &blocks[index];
  }
  // The first half second warms up.
  uint64_t begin = now_ns(), from = begin + 500000000ull, to = from + (uint64_t)(seconds * 1e9), done = 0, first = 0, now;
  if (syscall(SYS_io_submit, context, depth, pointers) != (long)depth) fail("io_submit");
  for (;;) {
    long count = syscall(SYS_io_getevents, context, 1, depth, events, NULL);
    if (count < 0) fail("io_getevents");
    now = now_ns();
    if (first == 0 && now >= from) first = now;
    else if (first != 0) done += count;
    if (now >= to) break;
    for (long index = 0; index < count; index++) {
      struct iocb *block = &blocks[events[index].data];
      if (events[index].res != (long long)size) fail("read");
      block->aio_offset = (random ? draw() % places : next++ % places) * size;
      pointers[index] = block;
    }
    if (syscall(SYS_io_submit, context, count, pointers) != count) fail("io_submit");
  }
  double rate = done / ((now - first) / 1e9);
  printf("@result %s %.1f\n", name, random ? rate : rate * size / 1e6);
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void quantiles(const char *name, uint32_t *times, size_t count) {
  qsort(times, count, sizeof *times, ascending);
  printf("@result %s %.1f %.1f %zu\n", name, times[count / 2] / 1e3, times[count * 99 / 100] / 1e3, count);
}

static void latency(const char *path, double seconds) {
  uint64_t bytes;
  int fd = open_device(path, &bytes);
  void *buffer;
  uint32_t *times = malloc(SAMPLES * sizeof *times);
  if (posix_memalign(&buffer, 4096, 4096) != 0 || times == NULL) fail("memory");
  size_t count = 0;
  for (int index = 0; index < 200; index++)
    if (pread(fd, buffer, 4096, draw() % (bytes / 4096) * 4096) != 4096) fail("read");
  for (uint64_t end = now_ns() + (uint64_t)(seconds * 1e9); count < SAMPLES;) {
    uint64_t from = now_ns();
    if (pread(fd, buffer, 4096, draw() % (bytes / 4096) * 4096) != 4096) fail("read");
    uint64_t to = now_ns();
    times[count++] = to - from;
    if (to >= end) break;
  }
  quantiles("latency", times, count);
}

static void read_register(const char *address, size_t count) {
  uint64_t place = strtoull(address, NULL, 0);
  int fd = open("/dev/mem", O_RDWR | O_SYNC);
  if (fd < 0) fail("/dev/mem");
  volatile uint8_t *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, place & ~4095ull);
  if (page == MAP_FAILED) fail("mmap");
  uint32_t *times = malloc(count * sizeof *times);
  int wide = (place & 3) == 0;
  for (size_t index = 0; index < count; index++) {
    uint64_t from = now_ns();
    if (wide) (void)*(volatile uint32_t *)(page + (place & 4095));
    else (void)page[place & 4095];
    times[index] = now_ns() - from;
  }
  quantiles("register", times, count);
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (count == 5 && strcmp(words[1], "random") == 0) stream("random", words[2], atoi(words[3]), atof(words[4]), 4096, 1);
  else if (count == 4 && strcmp(words[1], "latency") == 0) latency(words[2], atof(words[3]));
  else if (count == 5 && strcmp(words[1], "sequential") == 0)
    stream("sequential", words[2], atoi(words[3]), atof(words[4]), 1 << 20, 0);
  else if (count == 4 && strcmp(words[1], "register") == 0) read_register(words[2], strtoul(words[3], NULL, 0));
  else printf("@failed usage\n");
  return 0;
}
