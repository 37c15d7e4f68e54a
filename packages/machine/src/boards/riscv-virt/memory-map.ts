/* Address map and interrupt numbers of QEMU's `virt` board for RISC-V, as far as this board has them. */

/** Where harts start: a ROM with the reset vector. */
export const MROM_BASE = 0x1000;
export const MROM_SIZE = 0xf000;
export const TEST_FINISHER_BASE = 0x10_0000;
export const RTC_BASE = 0x10_1000;
export const ACLINT_BASE = 0x200_0000;
export const PLIC_BASE = 0xc00_0000;
export const SERIAL_BASE = 0x1000_0000;
export const VIRTIO_BASE = 0x1000_1000;
export const VIRTIO_STRIDE = 0x1000;
export const VIRTIO_SLOTS = 8;
export const RAM_BASE = 0x8000_0000;

/** Memory of a machine with so many bytes of RAM, in the order in which it lies in shared descriptors. */
export function regionsOf(ramBytes: number): { gpa: number; size: number; readOnly: boolean }[] {
  return [
    { gpa: RAM_BASE, size: ramBytes, readOnly: false },
    { gpa: MROM_BASE, size: MROM_SIZE, readOnly: true },
  ];
}

/** Slot n interrupts through n + 1. */
export const VIRTIO_IRQ = 1;
export const SERIAL_IRQ = 10;
export const RTC_IRQ = 11;

/** Input clock of the serial port, in Hz: 3.6864 MHz. */
export const SERIAL_CLOCK = 3_686_400;

/** mtime ticks a second, and their length. */
export const TIMEBASE_FREQUENCY = 10_000_000;
export const NS_PER_TICK = 100;

export const MAX_HARTS = 8;
/** The machine starts with at least this much RAM: kernel Images lie at 2 MiB. */
export const MIN_RAM = 0x100_0000;
