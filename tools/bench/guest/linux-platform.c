#include "bench.h"
#include <unistd.h>

void platform_write(const char *text, size_t length) {
  while (length > 0) {
    ssize_t done = write(1, text, length);
    if (done <= 0) _exit(3);
    text += done;
    length -= (size_t)done;
  }
}
