const LOAD_ADDRESS = 0x80000000;
/** Prints a line end on the `virt` board's serial port, then powers off through the test finisher. */
const PROGRAM = [
  0x100002b7, // lui t0, 0x10000
  0x00a00313, // li t1, 10
  0x00628023, // sb t1, 0(t0)
  0x001002b7, // lui t0, 0x100
  0x00005337, // lui t1, 5
  0x55530313, // addi t1, t1, 0x555
  0x0062a023, // sw t1, 0(t0)
  0x0000006f, // j .
];
const HEADER = 64;
const PROGRAM_HEADER = 56;
const EM_RISCV = 243;

/** An ELF file whose third instruction in machine mode prints: what comes before is the emulator's start. */
export function firstInstructionProgram(): Uint8Array {
  const start = HEADER + PROGRAM_HEADER;
  const file = new Uint8Array(start + PROGRAM.length * 4);
  const view = new DataView(file.buffer);
  const u16 = (at: number, value: number) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  // ELF identification: 64-bit, little-endian, version 1. Executable for RISC-V.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  u16(16, 2);
  u16(18, EM_RISCV);
  u32(20, 1);
  u64(24, LOAD_ADDRESS);
  u64(32, HEADER);
  u16(52, HEADER);
  u16(54, PROGRAM_HEADER);
  u16(56, 1);
  // One segment: loaded, readable and executable.
  u32(HEADER, 1);
  u32(HEADER + 4, 5);
  u64(HEADER + 8, start);
  u64(HEADER + 16, LOAD_ADDRESS);
  u64(HEADER + 24, LOAD_ADDRESS);
  u64(HEADER + 32, PROGRAM.length * 4);
  u64(HEADER + 40, PROGRAM.length * 4);
  u64(HEADER + 48, 4);
  PROGRAM.forEach((word, index) => u32(start + index * 4, word));
  return file;
}
