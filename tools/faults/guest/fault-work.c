// Load for fault tests, with verification: a static Linux program of the guest.
//   fault-work disk DEVICE BLOCKS WRITERS SEED SECONDS   random 4 KiB writes, reads that verify, flushes
//   fault-work check DEVICE BLOCKS                       every block is whole
//   fault-work files FOLDER SEED SECONDS                 names and files on a shared folder
//   fault-work chatter SEED SECONDS                      numbered lines
// Lines that the host reads begin with '@'. src/disk-blocks.ts knows the same blocks.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define MAGIC 0x50564231u
#define MOST_WRITERS 64

struct block {
  uint32_t magic, number, writer, sequence, seed, checksum;
  uint32_t words[(BLOCK - 24) / 4];
};

static atomic_int failed;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *format, ...) {
  va_list list;
  char line[512];
  va_start(list, format);
  int length = vsnprintf(line, sizeof line - 1, format, list);
  va_end(list);
  line[length++] = '\n';
  pthread_mutex_lock(&output);
  for (int at = 0; at < length;) {
    ssize_t count = write(1, line + at, length - at);
    if (count > 0) at += count;
  }
  pthread_mutex_unlock(&output);
}

static int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000ll + time.tv_nsec / 1000000;
}

static uint32_t mix(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t hash = a * 0x9e3779b1u ^ b * 0x85ebca77u ^ c * 0xc2b2ae3du;
  hash ^= hash >> 15;
  hash *= 0x2c1b3c6du;
  hash ^= hash >> 12;
  hash *= 0x297a2d39u;
  return hash ^ hash >> 15;
}

static uint32_t sum(const struct block *block) {
  uint32_t hash = mix(block->number, block->sequence, block->seed) ^ block->writer;
  for (size_t index = 0; index < sizeof block->words / 4; index++)
    hash = (hash << 5 | hash >> 27) ^ block->words[index];
  return hash;
}

static void fill(struct block *block, uint32_t number, uint32_t writer, uint32_t sequence, uint32_t seed) {
  *block = (struct block){.magic = MAGIC, .number = number, .writer = writer, .sequence = sequence, .seed = seed};
  uint32_t state = mix(number, sequence, seed);
  for (size_t index = 0; index < sizeof block->words / 4; index++) {
    state = state * 1664525u + 1013904223u;
    block->words[index] = state;
  }
  block->checksum = sum(block);
}

static struct {
  int fd;
  uint32_t blocks, writers, seed;
  int64_t end_ms;
  uint32_t *expected; // of each block; only its writer looks
  _Atomic uint32_t acknowledged[MOST_WRITERS];
  atomic_uint reads, flushes;
} disk;

static const char *fault_of(const struct block *block, uint32_t number, uint32_t sequence) {
  if (sequence == 0) return NULL;
  if (block->magic != MAGIC) return "not a block";
  if (block->number != number) return "another place's block";
  if (block->checksum != sum(block)) return "torn";
  if (block->seed != disk.seed) return "an earlier run's";
  if (block->sequence < sequence) return "lost";
  if (block->sequence > sequence) return "newer than what was written";
  return NULL;
}

static void *work(void *argument) {
  uint32_t writer = (uint32_t)(uintptr_t)argument;
  uint32_t own = disk.blocks / disk.writers;
  struct block *block;
  if (posix_memalign((void **)&block, BLOCK, BLOCK) != 0) abort();
  uint32_t sequence = 0, turn = 0;
  while (now_ms() < disk.end_ms && !failed) {
    uint32_t what = mix(disk.seed ^ 0x5151u, writer, turn++) % 16;
    if (what < 8) {
      uint32_t number = writer * own + mix(disk.seed, writer, ++sequence) % own;
      fill(block, number, writer, sequence, disk.seed);
      ssize_t count = pwrite(disk.fd, block, BLOCK, (off_t)number * BLOCK);
      if (count != BLOCK) {
        say("@error write of block %u: %s", number, count < 0 ? strerror(errno) : "short");
        failed = 1;
        break;
      }
      disk.expected[number] = sequence;
      atomic_store(&disk.acknowledged[writer], sequence);
    } else if (what < 15) {
      uint32_t number = writer * own + mix(disk.seed ^ 0xabcdu, writer, turn) % own;
      ssize_t count = pread(disk.fd, block, BLOCK, (off_t)number * BLOCK);
      const char *fault = count == BLOCK ? fault_of(block, number, disk.expected[number]) : strerror(errno);
      if (fault != NULL) {
        say("@error block %u of writer %u: %s; has %u, wants %u", number, writer, fault, block->sequence,
            disk.expected[number]);
        failed = 1;
        break;
      }
      disk.reads++;
    } else {
      if (fdatasync(disk.fd) != 0) {
        say("@error flush: %s", strerror(errno));
        failed = 1;
        break;
      }
      disk.flushes++;
    }
  }
  free(block);
  return NULL;
}

/** The kernel's log, from where `dmesg -c` was the last time. */
static int open_kernel_log(void) {
  int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
  lseek(fd, 0, SEEK_DATA);
  return fd;
}

static void look_at_kernel(int fd) {
  static const char *const bad[] = {"I/O error", "detected stall", "stalls on", "lockup", "blocked for more", "hung_task",
                                    "Oops",      "BUG:",           "panic",     "WARNING:", "EXT4-fs error", "timed out"};
  char line[1024];
  for (ssize_t count; (count = read(fd, line, sizeof line - 1)) > 0;) {
    line[count] = 0;
    line[strcspn(line, "\n")] = 0;
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
      if (strstr(line, bad[index]) == NULL) continue;
      say("@kernel %s", line);
      break;
    }
  }
}

static void progress(int64_t end_ms, int kernel, uint32_t writers) {
  int64_t last_ms = now_ms();
  for (int64_t now = last_ms; now < end_ms && !failed; now = now_ms()) {
    char text[400];
    int length = 0;
    for (uint32_t writer = 0; writer < writers; writer++)
      length += snprintf(text + length, sizeof text - length, " %u", atomic_load(&disk.acknowledged[writer]));
    say("@p %lld %u%s", (long long)(now - last_ms), disk.reads, length == 0 ? "" : text);
    last_ms = now;
    look_at_kernel(kernel);
    usleep(100000);
  }
}

static int work_disk(char **arguments) {
  disk.fd = open(arguments[0], O_RDWR | O_DIRECT);
  disk.blocks = atoi(arguments[1]);
  disk.writers = atoi(arguments[2]);
  disk.seed = strtoul(arguments[3], NULL, 0);
  disk.end_ms = now_ms() + 1000ll * atoi(arguments[4]);
  if (disk.fd < 0 || disk.writers < 1 || disk.writers > 16 || disk.blocks < disk.writers) {
    say("@error %s: %s", arguments[0], strerror(errno));
    return 1;
  }
  disk.expected = calloc(disk.blocks, sizeof *disk.expected);
  int kernel = open_kernel_log();
  pthread_t threads[MOST_WRITERS];
  say("@begin %u", disk.seed);
  for (uint32_t writer = 0; writer < disk.writers; writer++)
    pthread_create(&threads[writer], NULL, work, (void *)(uintptr_t)writer);
  progress(disk.end_ms, kernel, disk.writers);
  for (uint32_t writer = 0; writer < disk.writers; writer++) pthread_join(threads[writer], NULL);
  // A write that was done late, again, would show only now.
  struct block *block;
  if (posix_memalign((void **)&block, BLOCK, BLOCK) != 0) abort();
  uint32_t wrong = 0;
  for (uint32_t number = 0; number < disk.blocks && !failed; number++) {
    if (disk.expected[number] == 0) continue;
    const char *fault = pread(disk.fd, block, BLOCK, (off_t)number * BLOCK) == BLOCK
                            ? fault_of(block, number, disk.expected[number])
                            : strerror(errno);
    if (fault != NULL && wrong++ < 10) say("@error at last, block %u: %s", number, fault);
  }
  if (fsync(disk.fd) != 0) say("@error last flush: %s", strerror(errno));
  look_at_kernel(kernel);
  char text[400];
  int length = 0;
  for (uint32_t writer = 0; writer < disk.writers; writer++)
    length += snprintf(text + length, sizeof text - length, " %u", disk.acknowledged[writer]);
  say("@end %u %s reads %u flushes %u writes%s", disk.seed, failed || wrong > 0 ? "bad" : "good", disk.reads, disk.flushes, text);
  return failed || wrong > 0;
}

static int check_disk(char **arguments) {
  int fd = open(arguments[0], O_RDONLY | O_DIRECT);
  uint32_t blocks = atoi(arguments[1]), bad = 0, empty = 0;
  struct block *block;
  if (posix_memalign((void **)&block, BLOCK, BLOCK) != 0) abort();
  for (uint32_t number = 0; number < blocks; number++) {
    if (pread(fd, block, BLOCK, (off_t)number * BLOCK) != BLOCK) bad++;
    else if (block->magic == 0) empty++;
    else if (block->magic != MAGIC || block->number != number || block->checksum != sum(block)) bad++;
  }
  say("@checked %s bad %u empty %u", bad == 0 ? "good" : "bad", bad, empty);
  return bad != 0;
}

#define MUST(what)                                                           \
  do {                                                                       \
    if (!(what)) {                                                           \
      say("@error line %d: %s: %s", __LINE__, #what, strerror(errno));       \
      failed = 1;                                                            \
      return;                                                                \
    }                                                                        \
  } while (0)

static void use_files(uint32_t seed, uint32_t round) {
  char folder[64], name[96], other[96], text[2048], got[2048];
  snprintf(folder, sizeof folder, "r%u", round);
  MUST(mkdir(folder, 0755) == 0);
  uint32_t count = 3 + mix(seed, round, 1) % 6;
  for (uint32_t index = 0; index < count; index++) {
    uint32_t length = 1 + mix(seed, round, index + 100) % sizeof text;
    for (uint32_t at = 0; at < length; at++) text[at] = 'a' + (at * 7 + index + round) % 26;
    snprintf(name, sizeof name, "%s/f%u", folder, index);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
    MUST(fd >= 0);
    MUST(write(fd, text, length) == (ssize_t)length);
    if (index % 3 == 0) MUST(fsync(fd) == 0);
    MUST(pread(fd, got, sizeof got, 0) == (ssize_t)length);
    MUST(memcmp(text, got, length) == 0);
    snprintf(other, sizeof other, "%s/g%u", folder, index);
    if (index % 2 == 0) {
      MUST(rename(name, other) == 0);
      // Open across the rename.
      MUST(pread(fd, got, sizeof got, 0) == (ssize_t)length);
      memcpy(name, other, sizeof name);
    }
    MUST(close(fd) == 0);
    if (index % 4 == 1) MUST(symlink(name, other) == 0 && unlink(other) == 0);
    struct stat status;
    MUST(stat(name, &status) == 0 && status.st_size == length);
    int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);
    MUST(log >= 0);
    char line[32];
    int bytes = snprintf(line, sizeof line, "%08u %08u\n", round, index);
    MUST(write(log, line, bytes) == bytes);
    MUST(close(log) == 0);
  }
  DIR *directory = opendir(folder);
  MUST(directory != NULL);
  uint32_t seen = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    seen++;
    snprintf(name, sizeof name, "%s/%.24s", folder, entry->d_name);
    MUST(unlink(name) == 0);
  }
  closedir(directory);
  MUST(seen == count);
  MUST(rmdir(folder) == 0);
}

static int work_files(char **arguments) {
  uint32_t seed = strtoul(arguments[1], NULL, 0), round = 0, lines = 0;
  int64_t end_ms = now_ms() + 1000ll * atoi(arguments[2]), said_ms = 0;
  int kernel = open_kernel_log();
  if (chdir(arguments[0]) != 0) {
    say("@error %s: %s", arguments[0], strerror(errno));
    return 1;
  }
  unlink("log");
  say("@begin %u", seed);
  for (; now_ms() < end_ms && !failed; round++) {
    lines += 3 + mix(seed, round, 1) % 6;
    use_files(seed, round);
    if (now_ms() - said_ms < 100) continue;
    said_ms = now_ms();
    say("@p 0 %u", round);
    look_at_kernel(kernel);
  }
  look_at_kernel(kernel);
  say("@end %u %s rounds %u lines %u", seed, failed ? "bad" : "good", round, lines);
  return failed;
}

static int chatter(char **arguments) {
  int64_t end_ms = now_ms() + 1000ll * atoi(arguments[1]);
  int kernel = open_kernel_log();
  say("@begin %s", arguments[0]);
  uint32_t number = 0;
  for (; now_ms() < end_ms; number++) {
    say("@c %u the quick brown fox jumps over the lazy dog", number);
    if (number % 16 == 0) look_at_kernel(kernel), usleep(10000);
  }
  say("@end %s good lines %u", arguments[0], number);
  return 0;
}

int main(int count, char **arguments) {
  if (count == 7 && strcmp(arguments[1], "disk") == 0) return work_disk(arguments + 2);
  if (count == 4 && strcmp(arguments[1], "check") == 0) return check_disk(arguments + 2);
  if (count == 5 && strcmp(arguments[1], "files") == 0) return work_files(arguments + 2);
  if (count == 4 && strcmp(arguments[1], "chatter") == 0) return chatter(arguments + 2);
  say("@error usage");
  return 2;
}
