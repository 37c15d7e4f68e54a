import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FirmwareConfig, MachineEnd, TcgTier } from '../src/index.ts';
import { createMachine } from '../src/index.ts';
import { BUILT } from './bare-guest.ts';
import { plainConfig } from './plain-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'bare-metal-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Builds a raw Image from instructions, which begin behind the header. */
function imageOf(name: string, code: readonly number[]): string {
  const words = new Uint32Array(16 + code.length);
  words[0] = 0x0400_006f; // j 0x40
  words[4] = words.byteLength;
  words[14] = 0x0543_5352; // magic
  words.set(code, 16);
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(words.buffer));
  return path;
}

const SPIN = 0x0000_006f; // j .

/** M-mode: 'A' to the serial port, then the test finisher. */
const MACHINE_MODE = imageOf('machine-mode', [
  0x1000_02b7, // lui t0, 0x10000
  0x0410_0313, // li t1, 'A'
  0x0062_8023, // sb t1, (t0)
  0x0010_02b7, // lui t0, 0x100
  0x0000_5337, // lui t1, 5
  0x5553_0313, // addi t1, t1, 0x555
  0x0062_a023, // sw t1, (t0)
  SPIN,
]);

/** S-mode: prints its hart id as a letter, then shuts down, both through the SBI. */
const SUPERVISOR = imageOf('supervisor', [
  0x0535_0513, // addi a0, a0, 'S'
  0x0010_0893, // li a7, 1
  0x0000_0073, // ecall
  0x0080_0893, // li a7, 8
  0x0000_0073, // ecall
  SPIN,
]);

interface Outcome {
  readonly end: MachineEnd;
  readonly text: string;
  readonly instructions: number;
}

async function boot(
  kernel: string,
  firmware: FirmwareConfig,
  tier: TcgTier,
  icount = false,
): Promise<Outcome> {
  let text = '';
  const machine = await createMachine(
    plainConfig({
      accel: { kind: 'tcg', tier, icount },
      firmware,
      kernel,
      serial: {
        write: (bytes) => void (text += new TextDecoder().decode(bytes)),
        onInput() {},
        resume() {},
        close() {},
      },
    }),
  );
  machine.start();
  const end = await machine.ended;
  const { instructions } = machine.stats();
  await machine.close();
  return { end, text, instructions };
}

describeWith({ devices: BUILT }, 'bare-metal programs on the translator', () => {
  test.each(['interpreter', 'auto'] as const)('in M-mode, without firmware, %s', async (tier) => {
    const outcome = await boot(MACHINE_MODE, { kind: 'none' }, tier);
    expect(outcome).toMatchObject({ end: { kind: 'power-off', status: 0 }, text: 'A' });
  });

  test.each(['interpreter', 'auto'] as const)('in S-mode, on built-in firmware, %s', async (tier) => {
    const outcome = await boot(SUPERVISOR, { kind: 'builtin' }, tier);
    expect(outcome).toMatchObject({ end: { kind: 'power-off', status: 0 }, text: 'S' });
  });

  test('with icount two runs take equal numbers of instructions', async () => {
    const first = await boot(SUPERVISOR, { kind: 'builtin' }, 'interpreter', true);
    const second = await boot(SUPERVISOR, { kind: 'builtin' }, 'interpreter', true);
    expect(first.instructions).toBeGreaterThan(0);
    expect(second).toEqual(first);
  });
});
