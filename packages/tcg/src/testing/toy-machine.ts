import { ENV, PAGE_SIZE } from '../env.ts';
import type { Decoded, FrontEnd, Operand } from '../front-end.ts';
import { PageReader } from '../former/code-source.ts';
import type { InterpreterOptions } from '../interpreter/generate-interpreter.ts';
import { Builder } from '../ir/builder.ts';
import { evaluateBlock, type EvaluatorState } from '../ir/evaluate.ts';
import { accessDescriptor } from '../lower/access-descriptor.ts';
import { FlatMachine, type FlatMachineOptions } from './flat-machine.ts';
import type { ToyGuest, ToyOptions } from './toy-front-end.ts';

/** Shapes of the made-up guest that tests go through. */
export const TOY_GUESTS: readonly (ToyOptions & { readonly base: bigint })[] = [
  { addressType: 'i64', bigEndian: false, alignmentLog2: 0, base: 0x10000000n },
  { addressType: 'i64', bigEndian: true, alignmentLog2: 1, base: 0xffffffff80000000n },
  { addressType: 'i32', bigEndian: true, alignmentLog2: 2, base: 0xc0000000n },
  { addressType: 'i32', bigEndian: false, alignmentLog2: 0, base: 0x1000n },
];

/** A machine with the made-up guest's helpers, ready at `base`. */
export function toyMachine(
  guest: ToyGuest,
  base: bigint,
  interpreter: InterpreterOptions = {},
  more: Partial<FlatMachineOptions> = {},
): FlatMachine {
  const m: FlatMachine = new FlatMachine({
    frontEnd: guest.frontEnd,
    base,
    interpreter,
    ...more,
    isa: {
      check: (_env: number, v: bigint) => {
        if (v === 13n) m.setI32(ENV.fault, 7);
        return BigInt.asIntN(64, v * 2n);
      },
      shuffle: () => {
        const one = m.u64(ENV.guest + 8);
        m.setU64(ENV.guest + 8, m.u64(ENV.guest + 16));
        m.setU64(ENV.guest + 16, one);
      },
      trap: () => m.setI32(ENV.fault, 9),
    },
  });
  m.setU64(ENV.pc, base);
  return m;
}
/** Executes the instruction at env.pc by evaluating its translation. @returns false when it exited or faulted. */
export function evaluateOne(frontEnd: FrontEnd, m: FlatMachine): boolean {
  const pc = m.u64(ENV.pc);
  const at = m.hostOf(pc);
  const reader = new PageReader(frontEnd.bigEndian);
  reader.move(
    m.bytes.subarray(at & -PAGE_SIZE, (at & -PAGE_SIZE) + PAGE_SIZE),
    m.bytes.subarray((at & -PAGE_SIZE) + PAGE_SIZE, (at & -PAGE_SIZE) + 2 * PAGE_SIZE),
    at & 0xfff,
    frontEnd.maxLength,
  );
  const decoded: Decoded = { def: 0, length: 0, operands: [] };
  frontEnd.decode(reader, pc, 0, decoded);
  const def = frontEnd.instructions[decoded.def]!;
  const operands: Record<string, Operand> = {};
  Object.keys(def.operands).forEach((name, i) => (operands[name] = decoded.operands[i]!));
  const b = new Builder({ record: false, mode: 0, addressType: frontEnd.addressType });
  b.begin({ pc, length: decoded.length });
  def.translate(b, operands);
  if (b.terminator === undefined) b.jump('next');
  const softmmu = m.imports['softmmu'] as Record<string, (...args: unknown[]) => bigint>;
  const state: EvaluatorState = {
    env: new DataView(m.memory.buffer, m.env, 0x1000),
    load: (address, mem) => softmmu['load']!(0, address, accessDescriptor({ ...mem, signed: false }, 'i64')),
    store: (address, value, mem) => void softmmu['store']!(0, address, value, accessDescriptor(mem, 'i64')),
    call: (h, args) =>
      BigInt((m.imports['isa'] as Record<string, (...a: unknown[]) => bigint>)[h.name]!(...args) ?? 0n),
  };
  const outcome = evaluateBlock(b.finish(pc), state);
  m.setU64(ENV.pc, outcome.pc);
  if (outcome.kind === 'fault') (m.imports['isa'] as Record<string, () => void>)['deliver']!();
  return outcome.kind !== 'exit' || m.i32(ENV.hostExit) === 0;
}
