import {
  callWithBits,
  GUEST_OPTIONS,
  instantiateSoftfloat,
  OPTION,
  type OperationName,
} from '@polyvisor/softfloat';
import { compileSoftfloat } from '@polyvisor/softfloat/node';
import {
  Builder,
  ENV,
  evaluateBlock,
  operandFields,
  RECORD,
  type CodeReader,
  type Decoded,
  type EvaluatorState,
  type HelperDef,
  type Operand,
  type Outcome,
  type RecordField,
} from '@polyvisor/tcg';
import { RISCV } from '../src/front-end.ts';
import { CSR_OP, MODE } from '../src/mode.ts';
import { F, stateOffset, X } from '../src/state.ts';
import { CASE, codeAddress } from './test-case.ts';

const FRM = stateOffset('frm');
const USER_MODE = MODE.fp | MODE.fpDirty;

const unsigned = ([a = 0n, b = 0n]: readonly bigint[]): [bigint, bigint] => [
  BigInt.asUintN(64, a),
  BigInt.asUintN(64, b),
];

const lookUp = (table: bigint, indices: bigint, bits: bigint): bigint => {
  let result = 0n;
  for (let at = 0n; at < 64n; at += bits) {
    const index = (indices >> at) & ((1n << bits) - 1n);
    result |= ((table >> (index * bits)) & ((1n << bits) - 1n)) << at;
  }
  return result;
};

const carryless = (a: bigint, b: bigint): bigint => {
  let product = 0n;
  for (let i = 0n; i < 64n; i++) if (((b >> i) & 1n) === 1n) product ^= a << i;
  return product;
};

/** Models of the helpers that only compute. */
const ARITHMETIC: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  clmul: (a, b) => BigInt.asUintN(64, carryless(a, b)),
  clmulr: (a, b) => carryless(a, b) >> 63n,
  xperm4: (table, indices) => lookUp(table, indices, 4n),
  xperm8: (table, indices) => lookUp(table, indices, 8n),
};

/** How a hart executes: blocks of constants as regions do, or one handler per instruction with record fields. */
export type EvaluatedTier = 'constant' | 'record';

/** Runs test cases by evaluating the front end's IR; helpers are the real softfloat and a few CSRs. */
export class EvaluatedHart {
  private readonly memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  private readonly env = new DataView(this.memory.buffer);
  private readonly softfloat = instantiateSoftfloat(compileSoftfloat(), this.memory);
  private readonly handlers = new Map<string, ReturnType<Builder['finish']>>();
  private bytes: Uint8Array = new Uint8Array(CASE.size);
  private view: DataView = new DataView(this.bytes.buffer);

  /** Runs one case in place. @throws Error when it does what no case should: faults, runs away. */
  run(bytes: Uint8Array, tier: EvaluatedTier, hostFma: boolean): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const { env, view } = this;
    new Uint8Array(this.memory.buffer).fill(0);
    for (let i = 0; i < 32; i++) {
      env.setBigUint64(X.offset + 8 * i, view.getBigUint64(CASE.x + 8 * i, true), true);
      env.setBigUint64(F.offset + 8 * i, view.getBigUint64(CASE.f + 8 * i, true), true);
    }
    const fcsr = view.getUint32(CASE.fcsr, true);
    env.setUint32(ENV.fpFlags, fcsr & 31, true);
    env.setUint32(FRM, fcsr >> 5, true);
    env.setUint32(ENV.fpOptions, GUEST_OPTIONS.riscv | (hostFma ? OPTION.HOST_FMA_FUSED : 0), true);
    env.setUint32(ENV.mode, USER_MODE, true);
    env.setBigInt64(ENV.reservation, -1n, true);

    let pc = BigInt(codeAddress);
    for (let steps = 0; pc !== BigInt(CASE.exit); steps++) {
      if (steps > 5000) throw new Error(`ran away at ${pc.toString(16)}`);
      const outcome = tier === 'constant' ? this.block(pc) : this.handler(pc);
      if (outcome.kind === 'fault') {
        throw new Error(`fault ${env.getInt32(ENV.fault, true) - 1} at ${outcome.pc.toString(16)}`);
      }
      pc = outcome.pc;
    }
    for (let i = 0; i < 32; i++) {
      view.setBigUint64(CASE.x + 8 * i, env.getBigUint64(X.offset + 8 * i, true), true);
      view.setBigUint64(CASE.f + 8 * i, env.getBigUint64(F.offset + 8 * i, true), true);
    }
    view.setUint32(CASE.fcsr, env.getUint32(ENV.fpFlags, true) | (env.getUint32(FRM, true) << 5), true);
  }

  private decode(pc: bigint): Decoded {
    const at = Number(pc) - CASE.base;
    const code: CodeReader = {
      length: 4,
      u8: (i) => this.view.getUint8(at + i),
      u16: (i) => this.view.getUint16(at + i, true),
      u32: (i) => this.view.getUint32(at + i, true),
    };
    const out: Decoded = { def: 0, length: 0, operands: [] };
    RISCV.decode(code, pc, USER_MODE, out);
    return out;
  }

  private block(start: bigint): Outcome {
    const builder = new Builder({ record: false, mode: USER_MODE, addressType: 'i64' });
    let pc = start;
    while (builder.terminator === undefined) {
      if (pc === BigInt(CASE.exit)) {
        builder.end({ kind: 'goto', target: pc });
        break;
      }
      const decoded = this.decode(pc);
      const def = RISCV.instructions[decoded.def];
      if (def === undefined) throw new Error('decoded to nothing');
      builder.begin({ pc, length: decoded.length });
      const names = Object.keys(def.operands);
      def.translate(
        builder,
        Object.fromEntries(names.map((name, i) => [name, decoded.operands[i] as Operand])),
      );
      pc += BigInt(decoded.length);
    }
    return evaluateBlock(builder.finish(start), this.state());
  }

  private handler(pc: bigint): Outcome {
    const decoded = this.decode(pc);
    const def = RISCV.instructions[decoded.def];
    if (def === undefined) throw new Error('decoded to nothing');
    const names = operandFields(def);
    const key = `${def.name} ${decoded.length}`;
    let block = this.handlers.get(key);
    if (block === undefined) {
      const builder = new Builder({ record: true, mode: 0, addressType: 'i64' });
      builder.begin({ pc: 0n, length: decoded.length });
      def.translate(
        builder,
        Object.fromEntries(Object.keys(def.operands).map((name, i) => [name, names[i] as Operand])),
      );
      if (builder.terminator === undefined) builder.end({ kind: 'goto', target: 'next' });
      block = builder.finish(0n);
      this.handlers.set(key, block);
    }
    const fields: Partial<Record<RecordField, bigint>> = {};
    Object.values(def.operands).forEach((kind, i) => {
      const value = decoded.operands[i] as number;
      const field = names[i] as RecordField;
      if (kind.kind === 'target') fields[field] = BigInt.asUintN(64, BigInt(value) << 32n);
      else if (kind.kind === 'reg') {
        const dropped = kind.written === true && value === kind.file.zero;
        fields[field] = BigInt((dropped ? (kind.file.sink ?? 0) : value) * kind.file.stride);
      } else {
        // 32-bit fields are sign-extended when read.
        const bits = field === 'a' || field === 'b' || field === 'c' ? 16 : 64;
        fields[field] = BigInt.asUintN(bits, BigInt(value));
      }
    });
    if (RECORD.size !== 16) throw new Error('records have changed');
    return evaluateBlock(block, { ...this.state(), record: { fields, pc, length: decoded.length } });
  }

  private state(): EvaluatorState {
    return {
      env: this.env,
      load: (address, mem) => {
        const at = this.locate(address, mem.width);
        let value = 0n;
        for (let i = mem.width - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i] as number);
        return value;
      },
      store: (address, value, mem) => {
        const at = this.locate(address, mem.width);
        for (let i = 0; i < mem.width; i++) this.bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
      },
      call: (helper, args) => this.call(helper, args),
    };
  }

  private locate(address: bigint, width: number): number {
    const at = Number(address) - CASE.base;
    if (at < 0 || at + width > CASE.size)
      throw new Error(`access outside the case at ${address.toString(16)}`);
    return at;
  }

  private call(helper: HelperDef, args: readonly bigint[]): bigint {
    if (helper.module === 'softfloat') {
      const last = args.length - 1;
      const operands = args.slice(1);
      return callWithBits(
        this.softfloat,
        helper.name as OperationName,
        Number(args[0]),
        operands,
        Number(args[last]),
      );
    }
    const { env } = this;
    const arithmetic = ARITHMETIC[helper.name];
    if (arithmetic !== undefined) return arithmetic(...unsigned(args));
    switch (helper.name) {
      case 'raise':
        env.setInt32(ENV.fault, Number(args[1]) + 1, true);
        return 0n;
      case 'fence_i':
        return 0n;
      case 'csr_access':
        return this.csr(Number(args[1]), Number(args[2]), Number(BigInt.asUintN(32, args[3] ?? 0n)));
      default:
        throw new Error(`no helper ${helper.name} in user mode`);
    }
  }

  /** fflags, frm, fcsr. */
  private csr(number: number, op: number, value: number): bigint {
    const { env } = this;
    const whole = env.getUint32(ENV.fpFlags, true) | (env.getUint32(FRM, true) << 5);
    const [shift, mask] = (
      [
        [0, 31],
        [5, 7],
        [0, 255],
      ] as const
    )[number - 1] ?? [0, 0];
    const old = (whole >> shift) & mask;
    const next = (op === CSR_OP.write ? value : op === CSR_OP.set ? old | value : old & ~value) & mask;
    const written = (whole & ~(mask << shift)) | (next << shift);
    env.setUint32(ENV.fpFlags, written & 31, true);
    env.setUint32(FRM, written >> 5, true);
    return BigInt(old);
  }
}
