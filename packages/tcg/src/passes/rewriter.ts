import type { Inst, Value } from '../ir/ir.ts';
import { opRow, type Op, type ValueType } from '../ir/ops.ts';
import { bitsOf, SEMANTICS } from '../ir/semantics.ts';
import { Facts } from './facts.ts';
import { RULES } from './rules.ts';

/** No simpler value: what a rule gives when it has nothing to say. */
export const NONE = -1;

/** A block's new instructions, simplified as they are added. One instance serves many blocks. */
export class Rewriter {
  out: Inst[] = [];
  readonly facts = new Facts();

  /** Starts a new block. */
  start(): void {
    this.out = [];
  }
  inst(v: Value): Inst {
    return this.out[v] as Inst;
  }
  operand(v: Value, i: number): Value {
    return (this.out[v] as Inst).args[i] as Value;
  }

  /** Adds an instruction as it is. */
  append(inst: Inst): Value {
    const v = this.out.push(inst) - 1;
    this.facts.learn(v, inst);
    return v;
  }
  constant(type: ValueType, imm: bigint): Value {
    return this.append({ op: 'const', type, args: [], imm: BigInt.asUintN(bitsOf(type), imm) });
  }
  unary(op: Op, type: ValueType, a: Value): Value {
    return this.add({ op, type, args: [a] });
  }
  binary(op: Op, type: ValueType, a: Value, b: Value): Value {
    return this.add({ op, type, args: [a, b] });
  }

  /** Adds a pure instruction, or gives a value that equals it. Operands are values of `out`. */
  add(inst: Inst): Value {
    const rule = RULES[inst.op];
    if (rule === undefined) return this.append(inst);
    const folded = this.fold(inst);
    if (folded !== NONE) return folded;
    const simpler = rule(this, inst);
    return simpler === NONE ? this.append(inst) : simpler;
  }

  private fold(inst: Inst): Value {
    const { args } = inst;
    for (let i = 0; i < args.length; i++) if (this.facts.constant[args[i] as Value] === 0) return NONE;
    if (args.length === 0) return NONE;
    const meaning = SEMANTICS[inst.op];
    if (meaning === undefined) return NONE;
    const imm = (i: number): bigint => (i < args.length ? (this.inst(args[i] as Value).imm as bigint) : 0n);
    const b = imm(1);
    // Undefined by contract: it must not be reached, so it stays.
    if (DIVISIONS.has(inst.op) && (b === 0n || b === BigInt.asUintN(bitsOf(inst.type), -1n))) return NONE;
    const { result } = opRow(inst.op);
    return this.constant(
      result === 'T' ? inst.type : (result as ValueType),
      meaning(bitsOf(inst.type), imm(0), b, imm(2)),
    );
  }
}

const DIVISIONS = new Set<Op>(['div_s', 'div_u', 'rem_s', 'rem_u']);
