// The serial port of the `virt` board, and the functions that a compiler may call on its own.
#include "bench.h"

#define UART ((volatile uint8_t *)0x10000000)
#define LINE_STATUS 5
#define TRANSMITTER_EMPTY 0x20

void platform_write(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    while (!(UART[LINE_STATUS] & TRANSMITTER_EMPTY)) {
    }
    UART[0] = (uint8_t)text[i];
  }
}

void *memcpy(void *to, const void *from, size_t length) {
  for (size_t i = 0; i < length; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
  return to;
}

void *memset(void *to, int value, size_t length) {
  for (size_t i = 0; i < length; i++) ((uint8_t *)to)[i] = (uint8_t)value;
  return to;
}
