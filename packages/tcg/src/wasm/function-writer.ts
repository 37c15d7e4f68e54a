import { ByteWriter, u32Length } from './byte-writer.ts';
import { ACCESS_LOG2, W, WASM_TYPE, type WasmType } from './opcodes.ts';

const TYPE_LIST: readonly WasmType[] = ['i32', 'i64', 'f32', 'f64'];

/**
 * Writes one function body. Instructions go straight to bytes; nothing is kept but the locals' types.
 * Labels are *levels*: the value of {@link depth} that {@link block}, {@link loop} or {@link if} returned;
 * `br` turns a level into wasm's relative depth.
 */
export class FunctionWriter {
  readonly code = new ByteWriter(4096);
  /** Open blocks; level 0 is the function itself. */
  depth = 0;
  private readonly localTypes: number[] = [];
  private parameters = 0;
  private readonly free: Record<WasmType, number[]> = { i32: [], i64: [], f32: [], f64: [] };
  private readonly hints: number[] = [];

  /** Begins another function with these parameters; they are the first locals. */
  begin(params: readonly WasmType[]): void {
    this.code.reset();
    this.depth = 0;
    this.localTypes.length = 0;
    this.hints.length = 0;
    this.parameters = params.length;
    for (const type of TYPE_LIST) this.free[type].length = 0;
  }

  // --- locals

  /** A new local, zero at entry. */
  local(type: WasmType): number {
    this.localTypes.push(WASM_TYPE[type]);
    return this.parameters + this.localTypes.length - 1;
  }
  /** A local for a value of limited life: a released one where there is one. Its content is undefined. */
  temporary(type: WasmType): number {
    return this.free[type].pop() ?? this.local(type);
  }
  release(type: WasmType, local: number): void {
    this.free[type].push(local);
  }
  get(local: number): void {
    this.code.u8(W.localGet);
    this.code.u32(local);
  }
  set(local: number): void {
    this.code.u8(W.localSet);
    this.code.u32(local);
  }
  tee(local: number): void {
    this.code.u8(W.localTee);
    this.code.u32(local);
  }

  // --- plain instructions

  /** An instruction without immediates. */
  op(code: number): void {
    if (code > 255) {
      this.code.u8(code >>> 16);
      this.code.u32(code & 0xffff);
    } else this.code.u8(code);
  }
  i32(value: number): void {
    this.code.u8(W.i32Const);
    this.code.s32(value);
  }
  i64(value: bigint): void {
    this.code.u8(W.i64Const);
    this.code.s64(value);
  }
  /** An i64 constant that fits 32 signed bits. */
  i64small(value: number): void {
    this.code.u8(W.i64Const);
    this.code.s32(value);
  }
  /** A float constant by its bits. */
  floatBits(type: 'f32' | 'f64', bits: bigint): void {
    this.code.u8(type === 'f32' ? W.f32Const : W.f64Const);
    this.code.fixed32(Number(BigInt.asIntN(32, bits)));
    if (type === 'f64') this.code.fixed32(Number(BigInt.asIntN(32, bits >> 32n)));
  }
  /** A load or store; the natural alignment is promised only to atomics, as wasm demands it there. */
  memory(code: number, offset: number): void {
    this.op(code);
    this.code.u32(ACCESS_LOG2[code]!);
    this.code.u32(offset);
  }
  lane(code: number, lane: number): void {
    this.op(code);
    this.code.u8(lane);
  }
  fence(): void {
    this.op(W.atomicFence);
    this.code.u8(0);
  }
  call(index: number): void {
    this.code.u8(W.call);
    this.code.u32(index);
  }
  callIndirect(type: number): void {
    this.code.u8(W.callIndirect);
    this.code.u32(type);
    this.code.u32(0);
  }
  returnCallIndirect(type: number): void {
    this.code.u8(W.returnCallIndirect);
    this.code.u32(type);
    this.code.u32(0);
  }

  // --- control

  block(result?: WasmType): number {
    return this.open(W.block, result);
  }
  loop(result?: WasmType): number {
    return this.open(W.loop, result);
  }
  /** `likely`: a hint for the engine's code layout. */
  if(result?: WasmType, likely?: boolean): number {
    if (likely !== undefined) this.hint(likely);
    return this.open(W.if, result);
  }
  private open(code: number, result: WasmType | undefined): number {
    this.code.u8(code);
    this.code.u8(result === undefined ? WASM_TYPE.none : WASM_TYPE[result]);
    return ++this.depth;
  }
  else(): void {
    this.code.u8(W.else);
  }
  end(): void {
    this.code.u8(W.end);
    this.depth--;
  }
  br(level: number): void {
    this.code.u8(W.br);
    this.code.u32(this.depth - level);
  }
  brIf(level: number, likely?: boolean): void {
    if (likely !== undefined) this.hint(likely);
    this.code.u8(W.brIf);
    this.code.u32(this.depth - level);
  }
  /** `levels`, the last one being the default. */
  brTable(levels: readonly number[]): void {
    this.code.u8(W.brTable);
    this.code.u32(levels.length - 1);
    for (const level of levels) this.code.u32(this.depth - level);
  }
  return(): void {
    this.code.u8(W.return);
  }
  /** What an `if` or `br_if` that is written next will probably do (branch hinting, `metadata.code.branch_hint`). */
  private hint(likely: boolean): void {
    this.hints.push(this.code.length * 2 + (likely ? 1 : 0));
  }

  /** Ends the function and appends its body, and its hints, to a module's sections. @returns number of hints. */
  finish(bodies: ByteWriter, hints: ByteWriter): number {
    if (this.depth !== 0) throw new Error(`${this.depth} blocks left open`);
    this.code.u8(W.end);
    const types = this.localTypes;
    let groups = 0;
    let bytes = 0;
    for (let i = 0; i < types.length;) {
      let next = i + 1;
      while (next < types.length && types[next] === types[i]) next++;
      groups++;
      bytes += u32Length(next - i) + 1;
      i = next;
    }
    const header = u32Length(groups) + bytes;
    bodies.u32(header + this.code.length);
    bodies.u32(groups);
    for (let i = 0; i < types.length;) {
      let next = i + 1;
      while (next < types.length && types[next] === types[i]) next++;
      bodies.u32(next - i);
      bodies.u8(types[i]!);
      i = next;
    }
    bodies.append(this.code);
    for (const hint of this.hints) {
      hints.u32(header + (hint >>> 1));
      hints.u8(1);
      hints.u8(hint & 1);
    }
    return this.hints.length;
  }
}
