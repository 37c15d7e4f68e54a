import { ENV, type Builder, type Value } from '@polyvisor/tcg';
import { HELPERS } from '../helpers.ts';
import { CSR_FLAG, CSR_OP } from '../mode.ts';
import { stateOffset, X } from '../state.ts';
import type { Operands, Translate, Translations } from './translation.ts';

/** What follows a CSR write: nothing, leaving if the mode or a due interrupt says so, leaving in any case. */
type After = 'plain' | 'status' | 'exit';
type Source = (b: Builder, o: Operands) => Value;

const fromRegister: Source = (b, o) => b.get(X, o.rs1);
const fromImmediate: Source = (b, o) => b.imm(o.zimm);

function finish(b: Builder, after: After, modeBefore: Value): void {
  if (after === 'exit') b.exit('next');
  if (after !== 'status') return;
  const modeChanged = b.op('ne', 'i32', b.loadEnv('i32', ENV.mode), modeBefore);
  const due = b.call(HELPERS.interruptDue, b.env());
  b.if(b.op('or', 'i32', modeChanged, due), () => b.exit('next'));
}

const csr =
  (op: number, flags: number, source: Source, after: After): Translate =>
  (b, o) => {
    const modeBefore = b.loadEnv('i32', ENV.mode);
    const value = source(b, o);
    const old = b.call(HELPERS.csrAccess, b.env(), b.imm(o.csr, 'i32'), b.i32(op), value, b.i32(flags));
    if ((flags & CSR_FLAG.read) !== 0) b.put(X, o.rd, old);
    finish(b, after, modeBefore);
  };

const BOTH = CSR_FLAG.read | CSR_FLAG.write;
const AFTER: readonly (readonly [suffix: string, after: After])[] = [
  ['', 'exit'],
  ['_plain', 'plain'],
  ['_status', 'status'],
];

const OPERATIONS: readonly (readonly [name: string, op: number, flags: number, source: Source])[] = [
  ['csrrw', CSR_OP.write, BOTH, fromRegister],
  ['csrw', CSR_OP.write, CSR_FLAG.write, fromRegister],
  ['csrrs', CSR_OP.set, BOTH, fromRegister],
  ['csrrc', CSR_OP.clear, BOTH, fromRegister],
  ['csrrwi', CSR_OP.write, BOTH, fromImmediate],
  ['csrwi', CSR_OP.write, CSR_FLAG.write, fromImmediate],
  ['csrrsi', CSR_OP.set, BOTH, fromImmediate],
  ['csrrci', CSR_OP.clear, BOTH, fromImmediate],
];

const FRM = stateOffset('frm');
const FLAGS_MASK = 31;

/** fflags, frm and fcsr need no helper. */
interface FpCsr {
  readonly read: (b: Builder) => Value;
  readonly write: (b: Builder, value: Value) => void;
}

const readFlags = (b: Builder): Value => b.loadEnv('i64', ENV.fpFlags, 4);
const readRounding = (b: Builder): Value => b.loadEnv('i64', FRM, 4);
const writeFlags = (b: Builder, value: Value): void =>
  b.storeEnv('i64', ENV.fpFlags, b.op('and', 'i64', value, b.i64(FLAGS_MASK)), 4);
const writeRounding = (b: Builder, value: Value): void =>
  b.storeEnv('i64', FRM, b.op('and', 'i64', value, b.i64(7)), 4);

const FP_CSRS: Readonly<Record<string, FpCsr>> = {
  flags: { read: readFlags, write: writeFlags },
  rm: { read: readRounding, write: writeRounding },
  csr: {
    read: (b) => b.op('or', 'i64', readFlags(b), b.op('shl', 'i64', readRounding(b), b.i64(5))),
    write: (b, value) => {
      writeFlags(b, value);
      writeRounding(b, b.op('shr_u', 'i64', value, b.i64(5)));
    },
  },
};

const swap =
  (fpCsr: FpCsr, source: Source): Translate =>
  (b, o) => {
    const value = source(b, o);
    const old = fpCsr.read(b);
    fpCsr.write(b, value);
    b.put(X, o.rd, old);
  };

/** Zicsr. */
export const CSR_TRANSLATIONS: Translations = {
  cold: 'all',
  translate: {
    csrr: csr(CSR_OP.set, CSR_FLAG.read, (b) => b.i64(0), 'plain'),
    ...Object.fromEntries(
      OPERATIONS.flatMap(([name, op, flags, source]) =>
        AFTER.filter(([suffix]) => name + suffix !== 'csrrci_status').map(([suffix, after]) => [
          name + suffix,
          csr(op, flags, source, after),
        ]),
      ),
    ),
    ...Object.fromEntries(
      Object.entries(FP_CSRS).flatMap(([name, fpCsr]): [string, Translate][] => [
        [`fr${name}`, (b, o) => b.put(X, o.rd, fpCsr.read(b))],
        [`fs${name}`, swap(fpCsr, fromRegister)],
        [`fs${name}i`, swap(fpCsr, fromImmediate)],
      ]),
    ),
  },
};
