import { afterAll, describe, expect, test } from '@jest/globals';
import { createClockHandle, createSharedClock, type SharedClock } from '@polyvisor/clock';
import type { StateSection } from '@polyvisor/contracts';
import { STATE_FIELDS } from '@polyvisor/isa-riscv';
import { saveSection, type LiveObject } from '@polyvisor/proto';
import { riscvVcpuState, type RiscvVcpuState } from '@polyvisor/proto/state/riscv-vcpu';
import { stateArbitrary } from '@polyvisor/testkit/state-arbitrary';
import { describeWith } from '@polyvisor/testkit/needs';
import { ENV } from '@polyvisor/tcg';
import fc from 'fast-check';
import { COMPUTED, NOT_SAVED, placeOf } from './riscv-state.ts';
import type { RiscvVcpu, RiscvVcpuHost } from './riscv-vcpu.ts';
import { createTcg, type TcgVm } from './tcg.ts';
import { openVcpu } from './vcpu-module.ts';

const RAM_BASE = 0x8000_0000;
const RAM_SIZE = 0x1_0000;
const NS_PER_TICK = 100;

interface Hart {
  readonly vm: TcgVm;
  readonly vcpu: RiscvVcpu;
  readonly clock: SharedClock;
  readonly ram: Uint8Array;
}

const open: Hart[] = [];
const harts = new Map<string, Promise<Hart>>();

/** A hart by name, made once. */
function hartOf(name: 'first' | 'second' | 'bare'): Promise<Hart> {
  const hart = harts.get(name) ?? openHart(name !== 'bare');
  harts.set(name, hart);
  return hart;
}

afterAll(async () => {
  for (const { vcpu, vm, clock } of open) {
    vcpu.close();
    clock.close();
    await vm.close();
  }
});

/** A vCPU on a machine without devices, on this thread; it counts instructions exactly. */
async function openHart(firmware: boolean): Promise<Hart> {
  const handle = createClockHandle('icount');
  const clock = createSharedClock(handle);
  const vm = await createTcg({ tier: 'interpreter', icount: true }).createVm({
    vcpus: 1,
    regions: [{ gpa: RAM_BASE, size: RAM_SIZE, readOnly: false }],
    clock: handle,
    nsPerTick: NS_PER_TICK,
  });
  const host: RiscvVcpuHost = {
    mmioRead: () => 0,
    mmioWrite: () => {},
    highBits: 0,
    fault: true,
    serviceTimers: () => {},
    ...(firmware ? { environmentCall: () => 1 } : {}),
  };
  const vcpu = await openVcpu(vm.handle, 0, host);
  await vcpu.prepareState();
  const ram = new Uint8Array(vm.memory.buffer, vm.memory.regions[0]?.offset, RAM_SIZE);
  const hart = { vm, vcpu, clock, ram };
  open.push(hart);
  return hart;
}

/** Executes exactly so many instructions. */
function step({ vcpu }: Hart, instructions: number): void {
  const goal = vcpu.engine.instructionCount() + instructions;
  const { env, words } = vcpu.engine;
  for (let left = instructions; left > 0; left = goal - vcpu.engine.instructionCount()) {
    words[(env + ENV.exitRequest) >>> 2] = 0;
    vcpu.engine.setBudget(left);
    vcpu.engine.run();
  }
}

const decoded = (section: StateSection): RiscvVcpuState => riscvVcpuState.decode(section.bytes);

/** Bits that registers keep, as the Privileged Architecture has them for what this hart implements. */
const WRITABLE: Readonly<Record<string, bigint>> = {
  pc: ~1n,
  mepc: ~1n,
  sepc: ~1n,
  mtvec: ~2n,
  stvec: ~2n,
  mie: 0xaaan,
  mip: 0x222n,
  medeleg: 0xb3ffn,
  mideleg: 0x222n,
  menvcfg: 0xe000_0000_0000_00f1n,
  senvcfg: 0xf1n,
  mcountinhibit: 5n,
};
const READ_ONLY = ['misa', 'mseccfg', 'mhartid', 'mvendorid', 'marchid', 'mimpid', 'mconfigptr'] as const;

/** The nearest state that a hart can be in. */
function legalized(state: RiscvVcpuState): RiscvVcpuState {
  const live = state as unknown as LiveObject;
  for (const [name, mask] of Object.entries(WRITABLE)) {
    const value = live[name];
    live[name] =
      typeof value === 'bigint' ? BigInt.asUintN(64, value & mask) : Number(BigInt(value as number) & mask);
  }
  const reset = riscvVcpuState.create();
  for (const name of READ_ONLY) state[name] = reset[name];
  if (state.privilege === 2) state.privilege = 1;
  state.x[0] = 0n;
  state.mstatus = reset.mstatus | (state.mstatus & 0x7e79aan);
  if ((state.mstatus >> 11n) % 4n === 2n) state.mstatus &= ~(3n << 11n);
  const modes = [0n, 8n, 9n, 10n] as const;
  state.satp = (state.satp & 0x0fff_ffff_ffff_ffffn) | ((modes[Number(state.satp >> 62n)] ?? 0n) << 60n);
  state.pmpcfg.forEach((cfg, i) => {
    state.pmpcfg[i] = (cfg & 3) === 2 ? cfg & 0x9c : cfg & 0x9f;
  });
  return state;
}

test('every row of the hart state is saved, or it is written down why not', () => {
  const fields = new Map(riscvVcpuState.fields.map((field) => [field.name, field]));
  for (const row of STATE_FIELDS) {
    const field = fields.get(row.name);
    expect([row.name, field !== undefined]).toEqual([row.name, NOT_SAVED[row.name] === undefined]);
    if (field === undefined) continue;
    expect([row.name, field.count ?? 1]).toEqual([row.name, row.count]);
    expect([row.name, 'reset' in field && BigInt(field.reset)]).toEqual([row.name, row.reset]);
    expect('width' in field && field.width).toBeLessThanOrEqual(row.width * 8);
  }
  for (const name of Object.keys(NOT_SAVED)) expect(STATE_FIELDS.map((row) => row.name)).toContain(name);
  for (const name of fields.keys()) {
    expect([name, placeOf(name) !== undefined]).toEqual([name, !COMPUTED.includes(name)]);
  }
});

const WASM = [
  '../../tcg/dist/tcg.wasm',
  '../../isa-riscv/dist/isa-riscv.wasm',
  '../../softfloat/dist/softfloat.wasm',
];

describeWith(
  { devices: WASM.map((path) => new URL(path, import.meta.url).pathname) },
  'state of a hart',
  () => {
    test('any legal state is saved as it was loaded', async () => {
      const { vcpu } = await hartOf('first');
      fc.assert(
        fc.property(stateArbitrary(riscvVcpuState), (any) => {
          const state = legalized(any);
          vcpu.load(saveSection(riscvVcpuState, state));
          expect(decoded(vcpu.save())).toEqual(state);
        }),
        { numRuns: 200 },
      );
    });

    test('after a reset all is as the schema has it', async () => {
      const { vcpu } = await hartOf('first');
      vcpu.load(saveSection(riscvVcpuState, legalized({ ...riscvVcpuState.create(), mie: 0xfffn, frm: 7 })));
      vcpu.reset();
      expect(decoded(vcpu.save())).toEqual(riscvVcpuState.create());
    });

    const bad: readonly (readonly [string, (state: RiscvVcpuState) => unknown])[] = [
      ['privilege', (state) => (state.privilege = 2)],
      ['x', (state) => (state.x[0] = 1n)],
      ['pc', (state) => (state.pc = 1n)],
      ['mstatus', (state) => (state.mstatus |= 1n << 36n)],
      ['mstatus', (state) => (state.mstatus |= 1n << 63n)],
      ['mstatus', (state) => (state.mstatus |= 2n << 11n)],
      ['misa', (state) => (state.misa |= 1n << 7n)],
      ['mie', (state) => (state.mie = 1n)],
      ['mip', (state) => (state.mip = 0x80n)],
      ['mtvec', (state) => (state.mtvec = 2n)],
      ['stvec', (state) => (state.stvec = 3n)],
      ['mepc', (state) => (state.mepc = 1n)],
      ['sepc', (state) => (state.sepc = 1n)],
      ['medeleg', (state) => (state.medeleg = 0x400n)],
      ['mideleg', (state) => (state.mideleg = 0x80n)],
      ['menvcfg', (state) => (state.menvcfg = 2n)],
      ['senvcfg', (state) => (state.senvcfg = 2n)],
      ['mseccfg', (state) => (state.mseccfg = 1n)],
      ['mhartid', (state) => (state.mhartid = 1n)],
      ['mvendorid', (state) => (state.mvendorid = 1n)],
      ['satp', (state) => (state.satp = 7n << 60n)],
      ['mcountinhibit', (state) => (state.mcountinhibit = 2)],
      ['pmpcfg', (state) => (state.pmpcfg[3] = 0x40)],
      ['pmpcfg', (state) => (state.pmpcfg[15] = 0x02)],
    ];
    test.each(bad)('%s that no hart can hold is refused', async (name, change) => {
      const { vcpu } = await hartOf('first');
      const state = { ...riscvVcpuState.create(), sscratch: 5n };
      change(state);
      expect(() => vcpu.load(saveSection(riscvVcpuState, state))).toThrow(
        expect.objectContaining({ code: 'corrupt', message: expect.stringContaining(name) }),
      );
      expect(decoded(vcpu.save())).toEqual(riscvVcpuState.create());
    });

    test('other sections, broken ones, and firmware that is not there are refused; the vCPU is as after a reset', async () => {
      const { vcpu } = await hartOf('bare');
      const good = saveSection(riscvVcpuState, { ...riscvVcpuState.create(), mscratch: 1n });
      const sections: StateSection[] = [
        { ...good, type: 'polyvisor.cpu.v1.Other' },
        { ...good, bytes: good.bytes.slice(0, -1) },
        { ...good, bytes: Uint8Array.of(0xff) },
        saveSection(riscvVcpuState, { ...riscvVcpuState.create(), firmwareCalls: true }),
      ];
      for (const section of sections) {
        vcpu.load(good);
        expect(() => vcpu.load(section)).toThrow(expect.objectContaining({ code: 'corrupt' }));
        expect(decoded(vcpu.save())).toEqual(riscvVcpuState.create());
      }
    });

    test('a program goes on where it was saved, instruction by instruction', async () => {
      const [first, second] = [await hartOf('first'), await hartOf('second')];
      for (let seed = 1; seed <= 25; seed++) {
        const program = randomProgram(seed);
        first.vcpu.reset();
        first.ram.set(new Uint8Array(program.buffer), 0);
        first.vcpu.enter(3, RAM_BASE | 0, 0);
        step(first, 100 + ((seed * 37) % 700));
        second.ram.set(first.ram);
        second.clock.publish(first.clock.nowNs());
        second.vcpu.load(first.vcpu.save());
        for (let round = 0; round < 4; round++) {
          expect([seed, decoded(second.vcpu.save())]).toEqual([seed, decoded(first.vcpu.save())]);
          expect([seed, Buffer.compare(first.ram, second.ram)]).toEqual([seed, 0]);
          step(first, 500);
          step(second, 500);
        }
      }
    });
  },
);

describe('the random programs', () => {
  test('are what they were', () => expect(randomProgram(1)).toEqual(randomProgram(1)));
});

/**
 * A loop of random instructions over registers x1 to x29, f-registers, CSRs and 2 KiB of data at x31; its trap handler
 * skips what raised.
 */
function randomProgram(seed: number): Uint32Array {
  let state = seed * 2654435761;
  const roll = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const reg = (): number => 1 + roll(29);
  const csrs = [
    0x340, 0x341, 0x343, 0x003, 0x306, 0x106, 0x320, 0xb00, 0xb02, 0xc00, 0xc02, 0x300, 0x14d, 0x303, 0x3b2,
  ] as const;
  const csr = (): number => csrs[roll(csrs.length)] ?? 0x340;
  const kinds: readonly (() => number)[] = [
    () => (roll(4096) << 20) | (reg() << 15) | ((roll(8) & ~1 & 6) << 12) | (reg() << 7) | 0x13, // addi, slti.., no shifts
    () => (roll(2) << 30) | (reg() << 20) | (reg() << 15) | (0 << 12) | (reg() << 7) | 0x33, // add, sub
    () => (1 << 25) | (reg() << 20) | (reg() << 15) | (roll(8) << 12) | (reg() << 7) | 0x33, // mul, div
    () => (roll(128) << 23) | (31 << 15) | (3 << 12) | (reg() << 7) | 0x03, // ld
    () => (roll(31) << 25) | (reg() << 20) | (31 << 15) | (3 << 12) | (roll(4) << 10) | 0x23, // sd
    () => (2 << 27) | (31 << 15) | (3 << 12) | (reg() << 7) | 0x2f, // lr.d
    () => (3 << 27) | (reg() << 20) | (31 << 15) | (3 << 12) | (reg() << 7) | 0x2f, // sc.d
    () => (csr() << 20) | (reg() << 15) | ((1 + roll(3)) << 12) | (reg() << 7) | 0x73, // csrrw, csrrs, csrrc
    () => (csr() << 20) | (2 << 12) | (reg() << 7) | 0x73, // csrr
    () => (roll(4) << 27) | (1 << 25) | (reg() << 20) | (reg() << 15) | (7 << 12) | (reg() << 7) | 0x53, // fadd.d...
    () => (0x79 << 25) | (reg() << 15) | (reg() << 7) | 0x53, // fmv.d.x
    () => 0x73, // ecall
    () => (reg() << 20) | (reg() << 15) | (roll(2) << 12) | (8 << 7) | 0x63, // beq, bne over the next
  ];
  const setup = [
    0x0000_0f97, // auipc x31, 0
    (0x7fc << 20) | (31 << 15) | (31 << 7) | 0x13, // addi x31, x31, 2044
    (4 << 20) | (31 << 15) | (31 << 7) | 0x13, // addi x31, x31, 4: data at 0x800 behind the first instruction
    (0x7c0 << 20) | (0 << 15) | (30 << 7) | 0x13, // li x30, 1984
    (30 << 20) | (31 << 15) | (30 << 7) | (0x20 << 25) | 0x33, // sub x30, x31, x30: the handler at 0x40
    (0x305 << 20) | (30 << 15) | (1 << 12) | 0x73, // csrw mtvec, x30
    (2 << 12) | (30 << 7) | 0x37, // lui x30, 2
    (0x300 << 20) | (30 << 15) | (2 << 12) | 0x73, // csrs mstatus, x30: FS
    0x0380_006f, // j 0x58
  ];
  const handler = [
    0x3410_2f73, // csrr x30, mepc
    0x004f_0f13, // addi x30, x30, 4
    0x341f_1073, // csrw mepc, x30
    0x0000_2f37, // lui x30, 2
    0x3000_2073 | (30 << 15), // csrs mstatus, x30
    0x3020_0073, // mret
  ];
  const words = new Uint32Array(0x800 / 4);
  words.fill(0x13);
  words.set(setup, 0);
  words.set(handler, 0x40 / 4);
  const first = 0x58 / 4;
  const last = words.length - 1;
  for (let i = first; i < last; i++) words[i] = (kinds[roll(kinds.length)] ?? (() => 0x13))();
  const back = -(last - first) * 4;
  words[last] =
    (((back >> 20) & 1) << 31) |
    (((back >> 1) & 0x3ff) << 21) |
    (((back >> 11) & 1) << 20) |
    (((back >> 12) & 0xff) << 12) |
    0x6f;
  return words;
}
