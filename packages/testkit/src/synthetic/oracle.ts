import {
  BY_OPCODE,
  CAUSE,
  FIELD_BYTES,
  MODE_DELAY,
  NOT_IN_SLOT,
  PREFIX,
  SYSTEM,
  variantBytes,
} from './encoding.ts';
import type { Ports } from './ports.ts';

/** A fault while an instruction is executed: nothing of it has been done. */
class Fault extends Error {
  override readonly cause: number;
  readonly address: number;
  constructor(cause: number, address: number) {
    super('fault');
    this.cause = cause;
    this.address = address;
  }
}

interface Operands {
  d: number;
  s: number;
  n: number;
  v: number;
  w: number;
  t: number;
}

/**
 * Interprets synthetic code straight from its description in `encoding.ts`: byte by byte, with eager flags. Shares
 * nothing with the front end but the encoding table.
 */
export class SyntheticOracle {
  readonly r = new Uint32Array(8);
  readonly s = new Uint32Array(8);
  pc = 0;
  mode = 0;
  /** Where the pending delayed jump goes. */
  hidden = 0;
  c = false;
  v = false;
  z = false;
  n = false;
  halted = false;
  /** Instructions executed, faulting ones included. */
  executed = 0;
  faults = 0;
  /** RAM, and the guest address of its first byte. */
  readonly ram: Uint8Array;
  readonly base: number;
  private readonly ports: Ports;

  constructor(ram: Uint8Array, base: number, ports: Ports) {
    this.ram = ram;
    this.base = base;
    this.ports = ports;
  }

  /** The flags as `getf` gives them. */
  get flags(): number {
    return (this.c ? 1 : 0) | (this.v ? 2 : 0) | (this.z ? 4 : 0) | (this.n ? 8 : 0);
  }

  /** Executes one instruction, or delivers the fault that it raises. */
  step(): void {
    this.executed++;
    try {
      this.execute();
    } catch (e) {
      if (!(e instanceof Fault)) throw e;
      this.faults++;
      this.s[SYSTEM.pc] = this.pc;
      this.s[SYSTEM.cause] = e.cause;
      this.s[SYSTEM.mode] = this.mode;
      this.s[SYSTEM.address] = e.address;
      this.pc = this.s[SYSTEM.vector] as number;
      this.mode = 0;
    }
  }

  private at(address: number, width: number, cause: number): number {
    const offset = (address >>> 0) - this.base;
    if (offset < 0 || offset + width > this.ram.length || (address >>> 0) + width > 2 ** 32)
      throw new Fault(cause, address >>> 0);
    return offset;
  }
  private fetch(address: number): number {
    return this.ram[this.at(address, 1, CAUSE.fetch)] as number;
  }
  private load(address: number, width: number): number {
    const offset = this.at(address, width, CAUSE.access);
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + (this.ram[offset + i] as number);
    return value;
  }
  private store(address: number, width: number, value: number): void {
    const offset = this.at(address, width, CAUSE.access);
    for (let i = 0; i < width; i++) this.ram[offset + i] = (value >>> (8 * (width - 1 - i))) & 255;
  }

  private holds(number: number): boolean {
    const k = number % 12;
    const base = [this.c, this.v, this.z, this.n, this.n !== this.v, this.c || this.z][k >> 1] as boolean;
    return (k & 1) === 0 ? base : !base;
  }

  private logic(value: number): number {
    this.setResult(value);
    this.c = false;
    this.v = false;
    return value;
  }
  private setResult(value: number): void {
    this.z = value >>> 0 === 0;
    this.n = value >>> 31 === 1;
  }
  private sum(a: number, b: number, carry: number): number {
    const exact = (a >>> 0) + (b >>> 0) + carry;
    const exactSigned = (a | 0) + (b | 0) + carry;
    this.setResult(exact | 0);
    this.c = exact >= 2 ** 32;
    this.v = exactSigned !== (exact | 0);
    return exact | 0;
  }
  private difference(a: number, b: number): number {
    const exactSigned = (a | 0) - (b | 0);
    const result = exactSigned | 0;
    this.setResult(result);
    this.c = a >>> 0 < b >>> 0;
    this.v = exactSigned !== result;
    return result;
  }

  private execute(): void {
    const { pc, r } = this;
    let at = pc;
    let pads = 0;
    const byte = (): number => this.fetch(at >>> 0);
    while (pads < 5 && byte() === PREFIX) {
      at++;
      pads++;
    }
    const opcode = byte();
    const found = BY_OPCODE.get(opcode);
    const inSlot = (this.mode & MODE_DELAY) !== 0;
    if (found === undefined || (found.variant.pad ?? 0) < pads || (inSlot && NOT_IN_SLOT.has(found.name)))
      throw new Fault(CAUSE.illegal, this.fetch(pc));
    const next = pc + variantBytes(found.variant) + pads;
    const o: Operands = { d: opcode & 7, s: 0, n: 0, v: 0, w: 0, t: 0 };
    at++;
    for (const field of found.variant.fields) {
      let raw = 0;
      for (let i = 0; i < FIELD_BYTES[field]; i++) raw = raw * 256 + this.fetch((at + i) >>> 0);
      const unused = 32 - 8 * FIELD_BYTES[field];
      const value = (raw << unused) >> unused;
      if (field === 'ds') {
        o.d = (raw >> 4) & 7;
        o.s = raw & 7;
      } else if (field === 'd') o.d = raw & 7;
      else if (field === 's') o.s = raw & 7;
      else if (field === 'n') o.n = raw;
      else if (field === 'w32') o.w = value;
      else if (field === 't8' || field === 't32') o.t = value;
      else o.v = value;
      at += FIELD_BYTES[field];
    }
    /** Where control goes, unless a delay slot says otherwise. */
    let goes = next;
    const address = (r[o.s] as number) + o.v;
    const d = r[o.d] as number;
    const s = r[o.s] as number;
    switch (found.name) {
      case 'nop':
        break;
      case 'mov':
        r[o.d] = s;
        break;
      case 'movi':
        r[o.d] = o.v;
        break;
      case 'add':
        r[o.d] = this.sum(d, s, 0);
        break;
      case 'addi':
        r[o.d] = this.sum(d, o.v, 0);
        break;
      case 'adc':
        r[o.d] = this.sum(d, s, this.c ? 1 : 0);
        break;
      case 'sub':
        r[o.d] = this.difference(d, s);
        break;
      case 'subi':
        r[o.d] = this.difference(d, o.v);
        break;
      case 'cmp':
        this.difference(d, s);
        break;
      case 'cmpi':
        this.difference(d, o.v);
        break;
      case 'and':
        r[o.d] = this.logic(d & s);
        break;
      case 'andi':
        r[o.d] = this.logic(d & o.v);
        break;
      case 'or':
        r[o.d] = this.logic(d | s);
        break;
      case 'xor':
        r[o.d] = this.logic(d ^ s);
        break;
      case 'shl':
        r[o.d] = d << (o.n & 31);
        break;
      case 'shr':
        r[o.d] = d >>> (o.n & 31);
        break;
      case 'sar':
        r[o.d] = (d | 0) >> (o.n & 31);
        break;
      case 'mul':
        r[o.d] = Math.imul(d, s);
        break;
      case 'div':
        if (s === 0) throw new Fault(CAUSE.divide, 0);
        r[o.d] = Math.floor(d / s);
        break;
      case 'bswap':
        r[o.d] = (d << 24) | ((d & 0xff00) << 8) | ((d >>> 8) & 0xff00) | (d >>> 24);
        break;
      case 'lea':
        r[o.d] = address;
        break;
      case 'ld8u':
        r[o.d] = this.load(address, 1);
        break;
      case 'ld8s':
        r[o.d] = (this.load(address, 1) << 24) >> 24;
        break;
      case 'ld16u':
        r[o.d] = this.load(address, 2);
        break;
      case 'ld16s':
        r[o.d] = (this.load(address, 2) << 16) >> 16;
        break;
      case 'ld32':
        r[o.d] = this.load(address, 4);
        break;
      case 'st8':
        this.store(address, 1, d);
        break;
      case 'st16':
        this.store(address, 2, d);
        break;
      case 'st32':
        this.store(address, 4, d);
        break;
      case 'movm':
        this.store(address, 4, o.w);
        break;
      case 'push':
        this.store((r[6] as number) - 4, 4, d);
        r[6] = (r[6] as number) - 4;
        break;
      case 'pop': {
        const value = this.load(r[6] as number, 4);
        r[6] = (r[6] as number) + 4;
        r[o.d] = value;
        break;
      }
      case 'xadd': {
        this.at(s, 4, CAUSE.access);
        if ((s & 3) !== 0) throw new Fault(CAUSE.misaligned, s);
        const old = this.load(s, 4);
        this.store(s, 4, (old + d) | 0);
        r[o.d] = old;
        break;
      }
      case 'set':
        r[o.d] = this.holds(o.n) ? 1 : 0;
        break;
      case 'cmov':
        if (this.holds(o.n)) r[o.d] = s;
        break;
      case 'getf':
        r[o.d] = this.flags;
        break;
      case 'setf':
        this.c = (s & 1) !== 0;
        this.v = (s & 2) !== 0;
        this.z = (s & 4) !== 0;
        this.n = (s & 8) !== 0;
        break;
      case 'jcc':
        if (this.holds(o.n)) goes = pc + o.t;
        break;
      case 'jmp':
        goes = pc + o.t;
        break;
      case 'call':
        r[7] = next;
        goes = pc + o.t;
        break;
      case 'callr':
        goes = s;
        r[7] = next;
        break;
      case 'jr':
        goes = s;
        break;
      case 'ret':
        goes = r[7] as number;
        break;
      case 'jccd':
        this.hidden = this.holds(o.n) ? (pc + o.t) >>> 0 : 0xffffffff;
        this.mode |= MODE_DELAY;
        break;
      case 'jmpd':
        this.hidden = (pc + o.t) >>> 0;
        this.mode |= MODE_DELAY;
        break;
      case 'in':
        r[o.d] = this.ports.read(o.n);
        break;
      case 'out':
        this.ports.write(o.n, s);
        break;
      case 'gets':
        r[o.d] = this.s[o.n & 7] as number;
        break;
      case 'puts':
        this.s[o.n & 7] = s;
        break;
      case 'geth':
        r[o.d] = this.hidden;
        break;
      case 'puth':
        this.hidden = s;
        break;
      case 'trap':
        throw new Fault(CAUSE.trap + o.n, 0);
      case 'eret':
        goes = this.s[SYSTEM.pc] as number;
        this.mode = this.s[SYSTEM.mode] as number;
        break;
      case 'halt':
        this.halted = true;
        break;
    }
    if (inSlot) {
      if (this.hidden !== 0xffffffff) goes = this.hidden;
      this.mode &= ~MODE_DELAY;
    }
    this.pc = goes >>> 0;
  }
}
