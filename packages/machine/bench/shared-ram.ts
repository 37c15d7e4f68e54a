/*
 * CPU time of a guest with RAM in memfds against one with RAM of its own: first touch of 64 MiB, then passes over it.
 * node --conditions=@polyvisor/source packages/machine/bench/shared-ram.ts [ROUNDS]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTcg } from '@polyvisor/accel-tcg';
import { silentLogger } from '@polyvisor/contracts';
import { createGuestMemfds, overlayGuestMemory } from '@polyvisor/guest-memory/node';
import { assemble } from '@polyvisor/isa-riscv/testing';
import { createMachine, type MachineAccelerator } from '../src/index.ts';

const RAM_BASE = 0x8000_0000;
const HEADER = 64;
const PASSES = { touch: 1, passes: 60 } as const;

const program = (passes: number): string => `
  li s1, ${passes}
pass:
  li t0, ${RAM_BASE}
  li t1, 0x1000000
  add t0, t0, t1
  li t1, 0x4000000
  add t2, t0, t1
store:
  ld t3, 0(t0)
  addi t3, t3, 1
  sd t3, 0(t0)
  addi t0, t0, 64
  bne t0, t2, store
  addi s1, s1, -1
  bnez s1, pass
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
  j pass
`;

const folder = mkdtempSync(join(tmpdir(), 'shared-ram-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

async function run(passes: number, shared: boolean): Promise<number> {
  const code = assemble(program(passes), RAM_BASE + HEADER);
  const image = new Uint8Array(HEADER + code.length);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x0400_006f, true); // j 0x40
  view.setUint32(16, image.length, true);
  view.setUint32(56, 0x0543_5352, true); // magic of Linux Images
  image.set(code, HEADER);
  const kernel = join(folder, 'program');
  writeFileSync(kernel, image);
  const tcg = createTcg() as MachineAccelerator;
  const accelerator: MachineAccelerator = {
    ...tcg,
    async createVm(config) {
      const memfds = createGuestMemfds('polyvisor-bench', config.regions);
      const vm = await tcg.createVm({
        ...config,
        onMemory: (layout) => overlayGuestMemory(layout, memfds.ram.fd, memfds.flags.fd),
      });
      memfds.ram.close();
      memfds.flags.close();
      return vm;
    },
  };
  const machine = await createMachine(
    {
      board: 'riscv-virt',
      name: 'bench',
      memory: 128 << 20,
      cpus: 1,
      accel: { kind: 'tcg', tier: 'auto', icount: false },
      firmware: { kind: 'none' },
      kernel,
      serial: { write() {}, onInput() {}, resume() {}, close() {} },
      consolePorts: [],
      disks: [],
      nets: [],
      shares: [],
      rng: false,
      balloon: false,
      noReboot: true,
      logger: silentLogger,
    },
    shared ? { accelerator } : {},
  );
  const before = process.cpuUsage();
  machine.start();
  await machine.ended;
  const { user, system } = process.cpuUsage(before);
  await machine.close();
  return (user + system) / 1000;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] as number;

const rounds = Number(process.argv[2] ?? 7);
for (const [name, passes] of Object.entries(PASSES)) {
  const own: number[] = [];
  const shared: number[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push(await run(passes, false));
    shared.push(await run(passes, true));
  }
  console.log(
    name.padEnd(7),
    `own ${median(own).toFixed(0)} ms, shared ${median(shared).toFixed(0)} ms of CPU (median of ${rounds});`,
    `least ${Math.min(...own).toFixed(0)}, ${Math.min(...shared).toFixed(0)}`,
  );
}
