import { afterAll, expect, test } from '@jest/globals';
import { createClockHandle } from '@polyvisor/clock';
import { ENV } from '@polyvisor/tcg';
import { describeWith } from '@polyvisor/testkit/needs';
import { CONTROL } from './control.ts';
import type { RiscvVcpu, RiscvVcpuHost } from './riscv-vcpu.ts';
import { createTcg, type TcgVm } from './tcg.ts';
import { openVcpu } from './vcpu-module.ts';

const RAM_BASE = 0x8000_0000;
const STORE = 0x1000;
const CALL = 0x2000;
const CODE = 0x8000;

const A0 = 10;
const A1 = 11;
const A2 = 12;

const open: TcgVm[] = [];
afterAll(async () => {
  for (const vm of open) await vm.close();
});

/** addi a0, zero, value */
const answer = (value: number): number => (value << 20) | (A0 << 7) | 0x13;

/** Two vCPUs on this thread, executed in turns: one stores a1 to *a0 over and over, one does fence.i and calls *a2. */
async function openPair(): Promise<{ writer: RiscvVcpu; caller: RiscvVcpu; running: Int32Array }> {
  const vm = await createTcg({ tier: 'interpreter', icount: true }).createVm({
    vcpus: 2,
    regions: [{ gpa: RAM_BASE, size: 0x1_0000, readOnly: false }],
    clock: createClockHandle('icount'),
    nsPerTick: 100,
  });
  open.push(vm);
  const words = new Uint32Array(vm.memory.buffer, vm.memory.regions[0]?.offset, 0x4000);
  words.set([0x00b5_2023, 0xffdf_f06f], STORE / 4); // sw a1, 0(a0); j -4
  words.set([0x0000_100f, 0x0006_00e7, 0xff9f_f06f], CALL / 4); // fence.i; jalr a2; j -8
  words.set([answer(0), 0x0000_8067], CODE / 4); // ...; ret
  const host: RiscvVcpuHost = {
    mmioRead: () => 0,
    mmioWrite() {},
    highBits: 0,
    fault: true,
    serviceTimers() {},
  };
  const [writer, caller] = [await openVcpu(vm.handle, 0, host), await openVcpu(vm.handle, 1, host)];
  writer.enter(3, (RAM_BASE + STORE) | 0, 0);
  writer.setX(A0, (RAM_BASE + CODE) | 0, 0);
  caller.enter(3, (RAM_BASE + CALL) | 0, 0);
  caller.setX(A2, (RAM_BASE + CODE) | 0, 0);
  return { writer, caller, running: new Int32Array(vm.memory.buffer) };
}

function step({ engine }: RiscvVcpu, instructions: number): void {
  const goal = engine.instructionCount() + instructions;
  while (engine.instructionCount() < goal) {
    engine.words[(engine.env + ENV.exitRequest) >>> 2] = 0;
    engine.setBudget(goal - engine.instructionCount());
    engine.run();
  }
}

/** The writer's thread: stores `value` as the code's answer. */
function write(writer: RiscvVcpu, value: number): void {
  writer.setX(A1, answer(value), 0);
  step(writer, 2);
}

/** fence.i, call, answer, return, back. */
function call(caller: RiscvVcpu): number {
  step(caller, 5);
  return caller.xLow(A0);
}

const WASM = [
  '../../tcg/dist/tcg.wasm',
  '../../isa-riscv/dist/isa-riscv.wasm',
  '../../softfloat/dist/softfloat.wasm',
];

describeWith(
  { devices: WASM.map((path) => new URL(path, import.meta.url).pathname) },
  'code that another vCPU writes',
  () => {
    test('stores through a write entry from before the translation are seen after fence.i', async () => {
      const { writer, caller } = await openPair();
      // The writer gets its write entry while nobody executes the page.
      write(writer, 1);
      expect(call(caller)).toBe(1);
      for (let value = 2; value < 200; value++) {
        write(writer, value);
        // As a vCPU does that comes to a safe point, or leaves `run`.
        writer.engine.readCodeLog();
        expect(call(caller)).toBe(value);
      }
    });

    test('fence.i waits for a vCPU that runs and has not looked yet', async () => {
      const { writer, caller, running } = await openPair();
      write(writer, 1);
      expect(call(caller)).toBe(1);
      write(writer, 2);
      const { env } = writer.engine;
      Atomics.store(running, (env + CONTROL.running) >>> 2, 1);
      // Nobody drives the writer's thread here: after the nudge it would look at the log and stand still.
      const looked = setLooking(writer, running);
      expect(call(caller)).toBe(2);
      expect(looked()).toBe(true);
    });
  },
);

/** The writer looks at the log as soon as it is nudged: the wait of the caller, on the same thread, is where that happens. */
function setLooking(writer: RiscvVcpu, words: Int32Array): () => boolean {
  const { env } = writer.engine;
  const wait: typeof Atomics.wait = Atomics.wait;
  let looked = false;
  const lookFirst = (array: Int32Array, at: number, value: number): ReturnType<typeof wait> => {
    expect(Atomics.load(words, (env + ENV.exitRequest) >>> 2)).toBe(1);
    writer.engine.safePoint();
    Atomics.store(words, (env + CONTROL.running) >>> 2, 0);
    Atomics.wait = wait;
    looked = true;
    return wait(array, at, value, 1);
  };
  Atomics.wait = lookFirst as typeof wait;
  return () => looked;
}
