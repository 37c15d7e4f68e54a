// Prints at once and ends: how long does an emulator take to its first guest instruction?
#include "bench.h"

int main(void) {
  platform_write("hello\n", 6);
  return 0;
}
