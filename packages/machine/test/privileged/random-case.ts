import type { Random } from '@polyvisor/isa-riscv/testing';
import type { CodeWriter } from './code-writer.ts';
import { CONTROL_REGISTER, CONTROL_REGISTERS, type ControlRegister } from './control-registers.ts';
import { CONTEXT, FINISH, LAYOUT, REGISTER, USER_ALIAS } from './layout.ts';
import { cfgRegister, OPEN, randomProtection, type Protection } from './memory-protection.ts';
import { equivalent, randomEntry, SATP, slotsOf, type Scheme, type Slot } from './page-entries.ts';
import { RandomSteps, type Mode } from './random-steps.ts';
import { ENTRY } from './runtime.ts';

const ADUE = 1n << 61n;
const PBMTE = 1n << 62n;
/** Beside instructions, a case has constants that may differ between the two machines. */
export interface Literal {
  readonly address: number;
  readonly ours: bigint;
  readonly theirs: bigint;
}

/** What a value record of the log is about. */
export const WHAT = { register: 0x1000n, entry: 0x2000n, step: 0x3000n } as const;

const STATUS = {
  SIE: 2n,
  MIE: 8n,
  SPIE: 0x20n,
  MPIE: 0x80n,
  SPP: 0x100n,
  FS_LOW: 0x2000n,
  FS: 0x6000n,
  TSR: 1n << 22n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
} as const;
/** What a case turns on and off: FS, MPRV, SUM, MXR, TVM, TW, TSR. */
const SWITCHES = 0x7e_6000n;
const INTERRUPTS = 0xaaan;
const at = (csr: string): number => (CONTROL_REGISTER.get(csr) as ControlRegister).csr;
const PROBED = CONTROL_REGISTERS.filter(({ csr }) => csr >> 10 !== 3);

/**
 * Writes a case: M-mode code that sets everything up, code for the mode that it enters, and what looks at the outcome.
 * With `locks` it leaves PMP entries that stay, so that only other such cases may follow.
 */
export function writeCase(w: CodeWriter, random: Random, number: number, locks: boolean): Literal[] {
  const scheme = random.pick<Scheme>(['bare', 'sv39', 'sv39', 'sv39', 'sv48', 'sv48', 'sv57']);
  const mode = random.pick<Mode>(scheme === 'bare' ? [0, 1, 3] : [0, 0, 1, 1, 1, 3]);
  const slots = slotsOf(scheme);
  const protection = locks || random.once(3) ? randomProtection(random, locks) : OPEN;
  const menvcfg = (random.u64() & 0xc000_0000_0000_00f1n) | (random.once(2) ? ADUE : 0n);
  const literals: Literal[] = [];

  // All constants stand before the code: there is one for each entry.
  const nowhere = random.once(2);
  const kinds = { updates: (menvcfg & ADUE) !== 0n, memoryTypes: (menvcfg & PBMTE) !== 0n };
  const pokes = slots.map((slot) => {
    const ours = randomEntry(random, slot, nowhere);
    return { slot, ours, theirs: equivalent(ours, slot.level, kinds) };
  });
  const words = 2 * pokes.length;
  if (w.pc % 8 === 0) w.op('addi');
  w.op('jal', { target: 4 * (words + 1) });
  const pool = w.pc;
  for (const [i, { ours, theirs }] of pokes.entries()) {
    literals.push({ address: pool + 8 * i, ours, theirs });
    w.word(0);
    w.word(0);
  }

  const set = (csr: string, value: bigint): void => {
    w.li(6, value);
    w.csrw(at(csr), 6);
  };
  shared(w, 'case', BigInt(number));
  for (const csr of ['mstatus', 'satp', 'mie', 'mideleg', 'medeleg', 'senvcfg']) set(csr, 0n);
  set('menvcfg', menvcfg);
  pokes.forEach(({ slot }, i) => poke(w, slot, pool + 8 * i));
  w.call(ENTRY.clear);
  for (let probes = random.below(4); probes > 0; probes--) probe(w, random, random.pick(PROBED));

  // The way out of S mode must not lead to S mode.
  const escape = random.below(2);
  const delegated = random.once(3) ? 0n : random.pick([0xffffn, random.u64()]);
  // S mode's handler returns by sret, unless M mode sees that it may not.
  const trapsReturn = random.once(2);
  const kept = (escape === 0 ? 1n << 9n : 1n << 3n) | (trapsReturn ? 4n : 0n);
  set('medeleg', delegated & 0xb3ffn & ~kept);
  shared(w, 'escape', BigInt(escape));
  set('mideleg', random.once(2) ? 0n : random.u64() & INTERRUPTS);
  set('mcounteren', random.u64());
  set('scounteren', random.u64());
  set('senvcfg', random.u64());
  set('stvec', BigInt(ENTRY.supervisorVectors + random.below(2)));
  set('mtvec', BigInt(ENTRY.machineVectors + random.below(2)));
  protect(w, protection);
  // Here a load into a floating-point register makes FS Dirty even if it faults, which it may.
  const floatLoads = random.once(2);
  const modifies = mode === 3 && random.once(2);
  const switches =
    SWITCHES &
    ~(floatLoads ? STATUS.FS_LOW : 0n) &
    ~(modifies ? 0n : STATUS.MPRV) &
    ~random.pick([0n, STATUS.SUM]);
  const steps = new RandomSteps(w, random, {
    ...{ mode, scheme, slots, protection },
    switches: switches & ~(trapsReturn ? 0n : STATUS.TSR),
    floatLoads,
    leavesMachine: !modifies,
    crossing: !nowhere && protection === OPEN && (mode !== 3 || scheme === 'bare'),
  });
  const asid = BigInt(random.below(4)) << 44n;
  set('satp', scheme === 'bare' ? 0n : SATP[scheme] | asid);
  w.op('sfence.vma');
  const interrupts = random.once(4);
  if (interrupts) {
    set('mie', random.u64() & INTERRUPTS);
    // One at a time: QEMU 7.2 takes them in the order of their numbers.
    set('mip', random.pick([1n << 1n, 1n << 5n, 1n << 9n]));
  }
  const firstWaits = !interrupts && mode !== 0 && random.once(4);
  if (firstWaits) {
    for (const csr of ['mideleg', 'mie', 'mip']) set(csr, 2n);
  }
  let status = random.u64() & switches;
  if (!trapsReturn) status &= ~STATUS.TSR;
  if (floatLoads) status |= (status & STATUS.FS) >> 1n;
  status |= random.u64() & (STATUS.SPIE | STATUS.SPP);
  if (!firstWaits) status |= random.u64() & (STATUS.SIE | STATUS.MPIE);
  status |= BigInt(mode) << 11n;
  set('mstatus', status);
  const setNext = w.laLater(6);
  w.la(5, LAYOUT.context + CONTEXT.next);
  w.op('sd', { rs1: 5, rs2: 6 });
  const setEntry = w.laLater(5);
  w.li(6, mode === 0 && scheme !== 'bare' ? BigInt(USER_ALIAS) : 0n);
  w.op('add', { rd: 5, rs1: 5, rs2: 6 });
  w.csrw(at('mepc'), 5);
  w.call(ENTRY.clear);
  w.li(REGISTER.stored, 0x0101_0101_0101_0101n);
  w.li(REGISTER.alias, scheme === 'bare' ? 0n : BigInt(USER_ALIAS));
  for (let r = 9; r < 16; r++) w.li(r, random.integer());
  const setResume = w.laLater(REGISTER.resume);
  w.op('mret');
  setEntry(w.pc);
  setResume(w.pc);

  // In the mode that was chosen.
  if (firstWaits) steps.waitForInterrupt();
  for (let count = 8 + random.below(24); count > 0; count--) steps.random();
  const finish = w.pc;
  w.step(REGISTER.resume, () => {
    w.li(REGISTER.finish, BigInt(FINISH));
    w.op('ecall');
  });
  w.op('jal', { target: finish - w.pc });

  // Back in M mode.
  setNext(w.pc);
  w.li(REGISTER.finish, 0n);
  set('mstatus', 0n);
  for (const csr of ['mie', 'satp']) set(csr, 0n);
  set('mip', 0n);
  protect(w, OPEN);
  pokes.forEach(({ slot }, i) => {
    w.la(6, pool + 8 * i);
    w.op('ld', { rd: 6, rs1: 6 });
    w.li(11, 0n);
    for (const entry of slot.entries) {
      w.la(7, entry);
      w.op('ld', { rd: 7, rs1: 7 });
      w.op('xor', { rd: 7, rs1: 7, rs2: 6 });
      w.op('add', { rd: 11, rs1: 11, rs2: 7 });
    }
    w.li(10, WHAT.entry + BigInt(i));
    w.call(ENTRY.logValue);
  });
  // The two machines' constants differ.
  w.call(ENTRY.clear);
  return literals;
}

/** Writes one of the words that the runtime shares. */
function shared(w: CodeWriter, name: 'case' | 'escape', value: bigint): void {
  w.la(5, LAYOUT.context + CONTEXT[name]);
  w.li(6, value);
  w.op('sd', { rs1: 5, rs2: 6 });
}

function poke(w: CodeWriter, slot: Slot, literal: number): void {
  w.la(6, literal);
  w.op('ld', { rd: 6, rs1: 6 });
  for (const entry of slot.entries) {
    w.la(7, entry);
    w.op('sd', { rs1: 7, rs2: 6 });
  }
}

function protect(w: CodeWriter, { addresses, cfgs }: Protection): void {
  addresses.forEach((address, i) => {
    w.li(6, address);
    w.csrw(at('pmpaddr0') + i, 6);
  });
  for (const first of [0, 8] as const) {
    w.li(6, cfgRegister(cfgs, first));
    w.csrw(at('pmpcfg0') + first / 4, 6);
  }
}

/** Writes a CSR at random, logs what it holds then, and puts back what it had. */
function probe(
  w: CodeWriter,
  random: Random,
  { csr, name, trapValue = false, written = (1n << 64n) - 1n }: ControlRegister,
): void {
  w.li(11, 0n);
  w.step(REGISTER.resume, () => {
    w.csrr(7, csr);
    w.li(6, legal(name, random.once(4) ? random.integer() : random.u64()) & written);
    w.op(
      random.pick(trapValue || name.startsWith('pmpcfg') ? ['csrrw'] : ['csrrw', 'csrrw', 'csrrs', 'csrrc']),
      { rs1: 6, csr },
    );
    w.csrr(11, csr);
    w.csrw(csr, 7);
  });
  w.li(7, 0n);
  w.li(10, WHAT.register + BigInt(csr));
  w.call(ENTRY.logValue);
}

/** Values that are reserved, and that QEMU 7.2 takes as they are: mstatus.MPP = 2, PMP entries with W but not R. */
function legal(name: string, value: bigint): bigint {
  if (name === 'mstatus') return ((value >> 11n) & 3n) === 2n ? value | (1n << 11n) : value;
  if (!name.startsWith('pmpcfg')) return value;
  for (let i = 0n; i < 64n; i += 8n) if (((value >> i) & 3n) === 2n) value |= 1n << i;
  return value;
}
