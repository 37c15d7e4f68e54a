import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASE } from './test-case.ts';

/** Programs that the oracle needs. */
export const ORACLE_PROGRAMS = ['qemu-riscv64-static', 'riscv64-linux-gnu-gcc'] as const;

/** Extensions that QEMU's generic CPU has only if asked to. */
const ORACLE_CPU = ['rv64', 'zbkb=true', 'zbkx=true', 'Zfh=true'].join(',');

const registers = (op: string, letter: string, offset: number, from: number, to: number): string =>
  Array.from(
    { length: to - from + 1 },
    (_, i) => `  ${op} ${letter}${from + i}, ${offset + 8 * (from + i)}(x31)`,
  ).join('\n');

/** Reads cases from stdin, runs each one's code and writes it back, registers and all. Leaves at the end of input. */
const SOURCE = `
  .section .case, "awx", @nobits
case:
  .skip ${CASE.size}
  .section .exit, "awx", @progbits
finished:
${registers('sd', 'x', CASE.x, 1, 31)}
${registers('fsd', 'f', CASE.f, 0, 31)}
  frcsr x5
  sd x5, ${CASE.fcsr}(x31)
  li a0, 1
  la a1, case
  li a2, ${CASE.size}
  li a7, 64
  ecall
  .globl _start
_start:
  la s1, case
  li s2, ${CASE.size}
more:
  li a0, 0
  mv a1, s1
  mv a2, s2
  li a7, 63
  ecall
  blez a0, end
  add s1, s1, a0
  sub s2, s2, a0
  bnez s2, more
  fence.i
  la x31, case
  ld x5, ${CASE.fcsr}(x31)
  fscsr x5
${registers('fld', 'f', CASE.f, 0, 31)}
${registers('ld', 'x', CASE.x, 1, 30)}
  j case + ${CASE.code}
end:
  li a0, 0
  li a7, 93
  ecall
`;

/** Runs test cases under QEMU's user mode. Make one, run batches, close it. */
export class QemuOracle {
  private readonly folder = mkdtempSync(join(tmpdir(), 'riscv-oracle-'));
  private readonly program = join(this.folder, 'oracle');

  constructor() {
    const source = join(this.folder, 'oracle.s');
    writeFileSync(source, SOURCE);
    const sections = [`.case=0x${CASE.base.toString(16)}`, `.exit=0x${CASE.exit.toString(16)}`].map(
      (s) => `-Wl,--section-start=${s}`,
    );
    const options = ['-nostdlib', '-static', '-Wl,--build-id=none', ...sections];
    execFileSync('riscv64-linux-gnu-gcc', [...options, source, '-o', this.program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /**
   * Runs concatenated cases. @returns as many bytes, with the registers and memory that each left.
   * @throws Error when QEMU ended early: a case raised a signal.
   */
  run(cases: Uint8Array): Uint8Array {
    const result = spawnSync('qemu-riscv64-static', ['-cpu', ORACLE_CPU, this.program], {
      input: cases,
      maxBuffer: cases.length + 65536,
    });
    if (result.status !== 0 || result.stdout.length !== cases.length) {
      const done = Math.floor(result.stdout.length / CASE.size);
      throw new Error(
        `oracle ended in case ${done}: ${result.signal ?? result.status} ${result.stderr.toString()}`,
      );
    }
    return new Uint8Array(result.stdout);
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}
