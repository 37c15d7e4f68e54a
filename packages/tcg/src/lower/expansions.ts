import type { Inst } from '../ir/ir.ts';
import type { FunctionWriter } from '../wasm/function-writer.ts';
import { W } from '../wasm/opcodes.ts';
import type { Lowerer } from './lowerer.ts';

/** High half of a product. wasm has none: 32 bits go through 64, 64 bits through four 32-bit products. */
export function emitMulHigh(f: FunctionWriter, values: Lowerer, inst: Inst): void {
  const [a, b] = [inst.args[0]!, inst.args[1]!];
  if (inst.type === 'i32') {
    values.value(a);
    f.op(inst.op === 'mulh_u' ? W.i64ExtendI32U : W.i64ExtendI32S);
    values.value(b);
    f.op(inst.op === 'mulh_s' ? W.i64ExtendI32S : W.i64ExtendI32U);
    f.op(W.i64Mul);
    f.i64small(32);
    f.op(W.i64ShrU);
    f.op(W.i32WrapI64);
    return;
  }
  values.hold(a);
  values.hold(b);
  const low = (v: number): void => {
    values.held(v);
    f.op(W.i32WrapI64);
    f.op(W.i64ExtendI32U);
  };
  const high = (v: number): void => {
    values.held(v);
    f.i64small(32);
    f.op(W.i64ShrU);
  };
  const t = f.temporary('i64');
  // t = a.high * b.low + (a.low * b.low >> 32)
  high(a);
  low(b);
  f.op(W.i64Mul);
  low(a);
  low(b);
  f.op(W.i64Mul);
  f.i64small(32);
  f.op(W.i64ShrU);
  f.op(W.i64Add);
  f.set(t);
  // a.high * b.high + (t >> 32) + (a.low * b.high + t.low >> 32)
  high(a);
  high(b);
  f.op(W.i64Mul);
  f.get(t);
  f.i64small(32);
  f.op(W.i64ShrU);
  f.op(W.i64Add);
  low(a);
  high(b);
  f.op(W.i64Mul);
  f.get(t);
  f.op(W.i32WrapI64);
  f.op(W.i64ExtendI32U);
  f.op(W.i64Add);
  f.i64small(32);
  f.op(W.i64ShrU);
  f.op(W.i64Add);
  f.release('i64', t);
  const correct = (sign: number, other: number): void => {
    values.held(sign);
    f.i64small(63);
    f.op(W.i64ShrS);
    values.held(other);
    f.op(W.i64And);
    f.op(W.i64Sub);
  };
  if (inst.op !== 'mulh_u') correct(a, b);
  if (inst.op === 'mulh_s') correct(b, a);
  values.used(a);
  values.used(b);
}

/** Swaps the bytes of the value on the stack: an i32 for widths 2 (upper half 0 in and out) and 4, an i64 for 8. */
export function emitBswap(f: FunctionWriter, width: 2 | 4 | 8): void {
  if (width === 8) {
    const t = f.temporary('i64');
    const step = (mask: bigint, shift: number): void => {
      f.tee(t);
      f.i64(mask);
      f.op(W.i64And);
      f.i64small(shift);
      f.op(W.i64Shl);
      f.get(t);
      f.i64small(shift);
      f.op(W.i64ShrU);
      f.i64(mask);
      f.op(W.i64And);
      f.op(W.i64Or);
    };
    step(0x00ff00ff00ff00ffn, 8);
    step(0x0000ffff0000ffffn, 16);
    f.i64small(32);
    f.op(W.i64Rotl);
    f.release('i64', t);
    return;
  }
  const t = f.temporary('i32');
  f.tee(t);
  if (width === 2) {
    f.i32(8);
    f.op(W.i32ShrU);
    f.get(t);
    f.i32(255);
    f.op(W.i32And);
    f.i32(8);
    f.op(W.i32Shl);
  } else {
    f.i32(0xff00ff00 | 0);
    f.op(W.i32And);
    f.i32(8);
    f.op(W.i32Rotl);
    f.get(t);
    f.i32(0x00ff00ff);
    f.op(W.i32And);
    f.i32(8);
    f.op(W.i32Rotr);
  }
  f.op(W.i32Or);
  f.release('i32', t);
}

/** a*b+c with one rounding: relaxed_madd, which the caller has found to fuse on this host. */
export function emitFma(f: FunctionWriter, values: Lowerer, inst: Inst): void {
  const wide = inst.type === 'f64';
  for (const arg of inst.args) {
    values.value(arg);
    f.op(wide ? W.f64x2Splat : W.f32x4Splat);
  }
  f.op(wide ? W.f64x2RelaxedMadd : W.f32x4RelaxedMadd);
  f.lane(wide ? W.f64x2ExtractLane : W.f32x4ExtractLane, 0);
}
