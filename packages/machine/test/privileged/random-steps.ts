import { encodeInstruction, type Random } from '@polyvisor/isa-riscv/testing';
import type { CodeWriter } from './code-writer.ts';
import { CONTROL_REGISTERS } from './control-registers.ts';
import { LAYOUT, REGISTER } from './layout.ts';
import type { Protection } from './memory-protection.ts';
import { SATP, type Scheme, type Slot } from './page-entries.ts';

/** Privilege: 0 U, 1 S, 3 M. */
export type Mode = 0 | 1 | 3;

/** What steps are written for. */
export interface Surroundings {
  readonly mode: Mode;
  readonly scheme: Scheme;
  readonly slots: readonly Slot[];
  readonly protection: Protection;
  /** Bits of mstatus that steps may turn on and off. */
  readonly switches: bigint;
  /** Whether loads into floating-point registers may fault. FS is then Off or Dirty. */
  readonly floatLoads: boolean;
  /** Whether steps may leave M mode. Not with MPRV, which stays set then in QEMU 7.2. */
  readonly leavesMachine: boolean;
  /**
   * Whether accesses may be misaligned, and atomics appear: QEMU 7.2 does them in pieces, in another order and with
   * other addresses in tval, where memory is missing or PMP denies a part.
   */
  readonly crossing: boolean;
}

const { temporary, address, resume, stored, alias } = REGISTER;
const SSTATUS = 0x100;
const SEPC = 0x141;
const SATP_CSR = 0x180;
const MSTATUS = 0x300;
const MEPC = 0x341;
const SPP = 0x100n;
const MPP = 0x1800n;
const FS = 0x6000n;
const SUM = 1n << 18n;

/** CSRs that steps write: traps must still find their way afterwards. */
const WRITTEN = new Set([
  'fflags', 'frm', 'fcsr', 'scounteren', 'senvcfg', 'sepc', 'scause', 'stval', 'mcounteren', 'mepc', 'mcause', 'mtval',
  'mcountinhibit', 'misa', 'medeleg', 'mvendorid', 'mhartid', 'cycle', 'hpmcounter3',
]); // prettier-ignore
const LOADS = ['lb', 'lh', 'lw', 'ld', 'lbu', 'lhu', 'lwu'];
const STORES = ['sb', 'sh', 'sw', 'sd'];
/** Those that leave in memory only what may be executed. */
const ATOMICS = ['amoswap', 'amoand', 'amominu', 'amomaxu', 'lr', 'lr'];
const FENCES = ['sfence.vma', 'sinval.vma', 'fence', 'fence.i'];
/** In U mode they are illegal; QEMU 7.2 takes them there. */
const SUPERVISOR_FENCES = ['sfence.w.inval', 'sfence.inval.ir'];
const SCHEMES = ['sv39', 'sv48', 'sv57'] as const;
/** Not comparisons and conversions to integers: their flags don't make FS Dirty in QEMU 7.2. */
const FLOAT = ['fadd.d', 'fmul.s', 'fmv.x.d', 'fsgnj.d', 'fmv.d.x'];
/** Custom-0 to custom-3, OP-V, reserved major opcodes, load-fp of widths that there are none of. */
const ILLEGAL_OPCODES = [0x0b, 0x2b, 0x5b, 0x7b, 0x57, 0x6b, 0x77];

/**
 * CSRs that only one of the machines has: pmpcfg and pmpaddr of entries from 16 on, and triggers, as either may;
 * vsstimecmp, which QEMU 7.2 has without the hypervisor.
 */
const ONLY_ONE: readonly (readonly [first: number, last: number])[] = [
  [0x24d, 0x24d],
  [0x3a4, 0x3af],
  [0x3c0, 0x3ef],
  [0x7a0, 0x7af],
];

/** Writes random steps into a case; each leaves the hart where the next one can go on. */
export class RandomSteps {
  private readonly w: CodeWriter;
  private readonly dice: Random;
  private readonly around: Surroundings;
  /** Whether the code certainly runs in the mode that the case began in. */
  private certain = true;

  constructor(w: CodeWriter, dice: Random, around: Surroundings) {
    this.w = w;
    this.dice = dice;
    this.around = around;
  }

  random(): void {
    const { dice } = this;
    const choice = dice.below(32);
    if (choice < 15) this.memory();
    else if (choice < 18) this.jump();
    else if (choice < 22) this.register();
    else if (choice < 24) this.switches();
    else if (choice < 25) this.space();
    else if (choice < 26) this.fence();
    else if (choice < 27) this.plain(dice.pick(['ecall', 'ebreak']));
    else if (choice < 29) this.illegal();
    else if (choice < 30) this.float();
    else this.back();
  }

  /** Only as the first step, with an interrupt pending that wakes and is not taken. */
  waitForInterrupt(): void {
    this.plain('wfi');
  }

  private step(body: () => void): void {
    this.w.step(resume, body);
  }
  private plain(name: string): void {
    this.step(() => this.w.op(name));
  }
  private destination(): number {
    return 8 + this.dice.below(8);
  }

  /** An address to load from, store to or jump to. */
  private place(): bigint {
    const { dice, around } = this;
    const offset = BigInt(
      dice.pick([
        0,
        8,
        2048,
        4088,
        4090,
        4091,
        4092,
        4093,
        4094,
        4095,
        dice.below(4096),
        8 * dice.below(512),
      ]),
    );
    if (around.slots.length > 0 && !dice.once(8)) {
      const { va, toArena, name, entries, level } = dice.pick(around.slots);
      const within = level > 0 ? 4096 * dice.below(16) : 4096 * dice.below(entries.length);
      return name === 'pointer'
        ? va + BigInt(4096 * dice.below(2)) + offset
        : va + BigInt(toArena + within) + offset;
    }
    if (!dice.once(3)) return BigInt(LAYOUT.arena + 4096 * dice.below(18)) + offset;
    // Nothing there, or not canonical.
    return dice.pick([
      0x0800_1000n, 0x1_0000_0000n, 0x3f_ffff_fff8n, 0x40_0000_0000n, 0x7fff_ffff_fff8n, 0xff_ffff_ffff_fff8n,
      (1n << 64n) - 8n, (1n << 64n) - 0x40_0000_0000n, (1n << 64n) - 0x40_0000_0008n, 1n << 56n, 1n << 63n,
    ]); // prettier-ignore
  }

  private memory(): void {
    const { w, dice, around } = this;
    const to = around.crossing ? this.place() : this.place() & ~7n;
    const rd = this.destination();
    const kind = dice.below(8);
    const floats = this.around.floatLoads ? ['fld', 'fsd', 'flw', 'fsw'] : ['fsd', 'fsw'];
    // QEMU 7.2 may do an atomic's load and store by themselves where memory is more than plain RAM.
    const atomics = around.crossing && around.scheme !== 'bare' ? ATOMICS : ['lr'];
    this.step(() => {
      w.li(address, to);
      // QEMU 7.2 forgets to look again when a trap or its return changed the MPP that MPRV stands for.
      if (!around.leavesMachine) w.op('sfence.vma');
      if (kind < 3) w.op(dice.pick(LOADS), { rd, rs1: address, imm: 0 });
      else if (kind < 6) w.op(dice.pick(STORES), { rs1: address, rs2: stored, imm: 0 });
      else if (kind === 6) w.op(dice.pick(floats), { fd: 1, rs1: address, fs2: 2 });
      else {
        const [op, width] = [dice.pick(atomics), dice.pick(['w', 'd'])];
        w.op(`${op}.${width}`, { rd, rs1: address, rs2: op === 'lr' ? 0 : stored });
        // Without a reservation sc may fault or not.
        if (op === 'lr' && dice.once(2)) w.op(`sc.${width}`, { rd, rs1: address, rs2: stored });
      }
    });
  }

  /** The arena's code jumps back to x27. */
  private jump(): void {
    const { w, dice, around } = this;
    // QEMU 7.2 asks PMP for all bytes up to the end of the page that an instruction is in.
    if (around.protection.fine) return this.memory();
    // Once S mode has read a page of U mode, or M mode one by MPRV, QEMU 7.2 lets it execute there.
    if ((around.switches & SUM) !== 0n || !around.leavesMachine) return this.memory();
    const to = this.place() & ~1n;
    this.step(() => {
      w.li(address, to);
      w.op('jalr', { rd: dice.pick([0, 1]), rs1: address });
    });
  }

  private register(): void {
    const { w, dice } = this;
    const { csr, name, compared, trapValue = false } = dice.pick(CONTROL_REGISTERS);
    const writes = WRITTEN.has(name) && !dice.once(3);
    const rd = this.destination();
    this.step(() => {
      w.li(temporary, dice.u64());
      if (!writes) w.csrr(temporary, csr);
      else if (name === 'medeleg') {
        // The way out stays.
        w.li(temporary, 0xb1f7n & dice.u64());
        w.op('csrrc', { rs1: temporary, csr });
      } else {
        const op = dice.pick(['csrrw', 'csrrs', 'csrrc']);
        w.op(op, { rd: temporary, rs1: temporary, csr });
      }
      // Interrupts that a counter or time raises are none of these.
      w.li(rd, trapValue ? 0n : compared);
      w.op('and', { rd: temporary, rs1: temporary, rs2: rd });
    });
    // A trap left x23 as it was before.
    w.op('add', { rd, rs1: temporary });
  }

  private switches(): void {
    const { w, dice, around } = this;
    const csr = dice.pick([MSTATUS, SSTATUS]);
    let bits = dice.u64() & dice.u64() & around.switches;
    if (around.floatLoads && (bits & FS) !== 0n) bits |= FS;
    this.step(() => {
      w.li(temporary, bits);
      w.op(dice.pick(['csrrs', 'csrrc']), { rs1: temporary, csr });
    });
  }

  /** Another address space; without translation none, so that instructions stay where they are. */
  private space(): void {
    const { w, dice, around } = this;
    const asid = BigInt(dice.below(4)) << 44n;
    const invalid = BigInt(1 + dice.below(7)) << 60n;
    const value = around.scheme === 'bare' || dice.once(4) ? invalid : SATP[dice.pick(SCHEMES)] | asid;
    this.step(() => {
      w.li(temporary, value);
      w.csrw(SATP_CSR, temporary);
    });
  }

  private fence(): void {
    const { w, dice } = this;
    const supervisor = this.certain && this.around.mode !== 0;
    const name = dice.pick(supervisor ? [...FENCES, ...SUPERVISOR_FENCES] : FENCES);
    this.step(() => {
      w.li(address, this.place());
      const [rs1, rs2] = [dice.pick([0, address]), dice.pick([0, 0, temporary])];
      w.op(name, name.endsWith('.vma') ? { rs1, rs2 } : {});
    });
  }

  private illegal(): void {
    const { w, dice } = this;
    const word = dice.pick([
      0,
      0xffff_ffff,
      ((dice.u32() & ~0x7f) | dice.pick(ILLEGAL_OPCODES)) >>> 0,
      // Counters are read-only; CSRs that there are none of.
      encodeInstruction('csrrw', { csr: 0xc00 + dice.below(32), rs1: 1 }),
      encodeInstruction('csrrs', {
        csr: dice.pick([0x015, 0x180 + 5, 0x3a1, 0x3a3, 0x5c0, 0x680, 0x7c0, 0x800, 0xbc0, 0xfc0]),
        rd: 8,
      }),
      encodeInstruction('csrrs', { csr: this.anyCsr(), rd: 0 }),
      encodeInstruction('csrrs', { csr: this.anyCsr(), rd: 0 }),
      0x0000_2033 | (0x7f << 25),
      encodeInstruction('fadd.d', { rm: 5 }),
    ]);
    this.step(() => w.word(word));
  }

  /** A CSR by its number, that either both machines have or neither. */
  private anyCsr(): number {
    for (;;) {
      const csr = this.dice.below(4096);
      if (!ONLY_ONE.some(([first, last]) => csr >= first && csr <= last)) return csr;
    }
  }

  private float(): void {
    const { w, dice } = this;
    const rd = this.destination();
    this.step(() => w.op(dice.pick(FLOAT), { rd, rs1: 9, fd: 3, fs1: 1, fs2: 2, rm: 0 }));
  }

  /** mret or sret: to the next step, in a mode at random. */
  private back(): void {
    const { w, dice, around } = this;
    const machine = dice.once(2) || !around.leavesMachine;
    if (this.certain && dice.once(4) && (around.mode === 0 || (around.mode === 1 && machine))) {
      return this.plain(machine ? 'mret' : 'sret');
    }
    const to = !around.leavesMachine ? 3 : dice.pick<Mode>(machine ? [0, 1, 3] : [0, 1]);
    this.certain = false;
    this.step(() => {
      const status = machine ? MSTATUS : SSTATUS;
      const previous = machine ? BigInt(to) << 11n : to === 1 ? SPP : 0n;
      w.li(temporary, machine ? MPP : SPP);
      w.op('csrrc', { rs1: temporary, csr: status });
      w.li(temporary, previous);
      w.op('csrrs', { rs1: temporary, csr: status });
      // Instructions from here to the end of the step.
      w.op('auipc', { rd: address });
      w.op('addi', { rd: address, rs1: address, imm: to === 0 ? 20 : 16 });
      if (to === 0) w.op('add', { rd: address, rs1: address, rs2: alias });
      w.csrw(machine ? MEPC : SEPC, address);
      w.op(machine ? 'mret' : 'sret');
    });
  }
}
