/** A CSR as cases use it. Masks are of bits that are compared; the reason stands for those that are not. */
export interface ControlRegister {
  readonly name: string;
  readonly csr: number;
  readonly compared: bigint;
  readonly reason?: string;
  /** What earlier traps left in it is not compared: cases log it only after they wrote it whole. */
  readonly trapValue?: boolean;
  /** Bits that cases write at random; absent: all 64. */
  readonly written?: bigint;
}

const ALL = (1n << 64n) - 1n;
const COUNTS = 'counts instructions or time';
const IDENTIFIES = 'identifies the implementation';
const COUNTERS_3 = 'counters beyond instret are read-only 0 here, QEMU can have them all';

const of = (csr: number, name: string, rest: Partial<ControlRegister> = {}): ControlRegister => ({
  csr,
  name,
  compared: ALL,
  ...rest,
});

/** QEMU 7.2 has the hypervisor's interrupts also without the hypervisor, and that of overflowing counters. */
const INTERRUPTS = {
  compared: 0xaaan,
  written: 0xaaan,
  reason: 'QEMU 7.2 keeps the interrupts of extensions that are off',
};
const TRAP_VALUE = { trapValue: true, reason: 'ebreak and sinval.vma may leave 0, and do so in QEMU 7.2' };
const PC = { compared: ALL & ~1n, reason: 'QEMU 7.2 keeps bit 0' };
const ENABLES = { compared: 0xffff_ffffn, reason: 'QEMU 7.2 keeps bits beyond the 32 that there are' };
/**
 * Of mstatus: UXL, as QEMU 7.2 can run U mode in 32 bits; VS, which it has without vectors, too; MPV and GVA, which it
 * has without the hypervisor.
 */
const UXL = (3n << 32n) | (3n << 9n) | (3n << 38n);

/** Every CSR that the hart has, and what of it must agree with QEMU 7.2. */
export const CONTROL_REGISTERS: readonly ControlRegister[] = [
  of(0x001, 'fflags'),
  of(0x002, 'frm'),
  of(0x003, 'fcsr'),
  of(0x100, 'sstatus', { written: ALL & ~UXL }),
  of(0x104, 'sie', INTERRUPTS),
  of(0x105, 'stvec'),
  of(0x106, 'scounteren', ENABLES),
  of(0x10a, 'senvcfg'),
  of(0x140, 'sscratch'),
  of(0x141, 'sepc', PC),
  of(0x142, 'scause'),
  of(0x143, 'stval', TRAP_VALUE),
  of(0x144, 'sip', INTERRUPTS),
  of(0x14d, 'stimecmp'),
  of(0x180, 'satp'),
  of(0x300, 'mstatus', { written: ALL & ~UXL & ~(3n << 34n) }),
  of(0x301, 'misa'),
  of(0x302, 'medeleg', {
    compared: 0xb3ffn,
    reason: 'QEMU lets exceptions that cannot occur (ecall from VS and M, guest page faults) be delegated',
  }),
  of(0x303, 'mideleg', INTERRUPTS),
  of(0x304, 'mie', INTERRUPTS),
  of(0x305, 'mtvec'),
  of(0x306, 'mcounteren', ENABLES),
  of(0x30a, 'menvcfg', { compared: ALL & ~(1n << 61n), reason: 'QEMU 7.2 has no Svadu' }),
  of(0x320, 'mcountinhibit', { compared: 5n, reason: COUNTERS_3 }),
  ...[3, 4, 18, 19, 31].map((i) => of(0x320 + i, `mhpmevent${i}`, { compared: 0n, reason: COUNTERS_3 })),
  of(0x340, 'mscratch'),
  of(0x341, 'mepc', PC),
  of(0x342, 'mcause'),
  of(0x343, 'mtval', TRAP_VALUE),
  of(0x344, 'mip', INTERRUPTS),
  of(0x3a0, 'pmpcfg0', { written: 0x1f1f1f1f1f1f1f1fn }),
  of(0x3a2, 'pmpcfg2', { written: 0x1f1f1f1f1f1f1f1fn }),
  ...[...Array(16).keys()].map((i) =>
    of(0x3b0 + i, `pmpaddr${i}`, {
      compared: (1n << 54n) - 1n,
      reason: 'QEMU 7.2 keeps bits beyond the 54 that there are',
    }),
  ),
  of(0xb00, 'mcycle', { compared: 0n, reason: COUNTS }),
  of(0xb02, 'minstret', { compared: 0n, reason: COUNTS }),
  ...[3, 4, 18, 19, 31].map((i) => of(0xb00 + i, `mhpmcounter${i}`, { compared: 0n, reason: COUNTERS_3 })),
  of(0xc00, 'cycle', { compared: 0n, reason: COUNTS }),
  of(0xc01, 'time', { compared: 0n, reason: COUNTS }),
  of(0xc02, 'instret', { compared: 0n, reason: COUNTS }),
  ...[3, 19, 31].map((i) => of(0xc00 + i, `hpmcounter${i}`, { compared: 0n, reason: COUNTERS_3 })),
  of(0xf11, 'mvendorid', { compared: 0n, reason: IDENTIFIES }),
  of(0xf12, 'marchid', { compared: 0n, reason: IDENTIFIES }),
  of(0xf13, 'mimpid', { compared: 0n, reason: IDENTIFIES }),
  of(0xf14, 'mhartid'),
  of(0xf15, 'mconfigptr'),
];

export const CONTROL_REGISTER: ReadonlyMap<string, ControlRegister> = new Map(
  CONTROL_REGISTERS.map((r) => [r.name, r]),
);
