import {
  CONDITIONS,
  ENCODINGS,
  FIELD_BYTES,
  PREFIX,
  variantBytes,
  type Mnemonic,
  type Variant,
} from './encoding.ts';

/** Operands by field letter; `t` may be a label. */
export interface AssemblyOperands {
  readonly d?: number;
  readonly s?: number;
  readonly n?: number;
  readonly v?: number | string;
  readonly w?: number;
  readonly t?: number | string;
  /** Which of the encodings; default: the first that fits, or for labels the last. */
  readonly variant?: number;
  /** Prefix bytes. */
  readonly pad?: number;
}

interface Item {
  readonly at: number;
  readonly variant: Variant;
  readonly operands: AssemblyOperands;
}

const fits = (value: number, bytes: number): boolean =>
  bytes === 4 || (value << (32 - 8 * bytes)) >> (32 - 8 * bytes) === value;

/** Assembles synthetic code. Labels may be used before they are set. */
export class SyntheticAssembler {
  private readonly base: number;
  private at: number;
  private readonly items: Item[] = [];
  private readonly labels = new Map<string, number>();

  /** @param base guest address of the first byte. */
  constructor(base: number) {
    this.base = base;
    this.at = base;
  }

  /** Address of the next instruction. */
  get here(): number {
    return this.at;
  }
  label(name: string): this {
    this.labels.set(name, this.at);
    return this;
  }
  /** Leaves bytes out up to an address: they stay 0, which is `nop`. */
  skipTo(address: number): this {
    if (address < this.at) throw new Error(`already at 0x${this.at.toString(16)}`);
    this.at = address;
    return this;
  }

  /** Adds an instruction. */
  emit(name: Mnemonic, operands: AssemblyOperands = {}): this {
    const variants: readonly Variant[] = ENCODINGS[name];
    const variant =
      operands.variant === undefined ? this.choose(variants, operands) : variants[operands.variant];
    if (variant === undefined) throw new Error(`${name} has no variant ${operands.variant}`);
    this.items.push({ at: this.at, variant, operands });
    this.at += variantBytes(variant) + (operands.pad ?? 0);
    return this;
  }

  /** Number of a condition by name. */
  static condition(name: (typeof CONDITIONS)[number]): number {
    return CONDITIONS.indexOf(name);
  }

  /** The code, from the base on. @throws Error when a label is missing or too far. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.at - this.base);
    for (const { at, variant, operands } of this.items) {
      let to = at - this.base;
      for (let i = 0; i < (operands.pad ?? 0); i++) bytes[to++] = PREFIX;
      bytes[to++] = variant.opcode + (variant.registerInOpcode === true ? (operands.d ?? 0) : 0);
      for (const field of variant.fields) {
        const width = FIELD_BYTES[field];
        const value =
          field === 'ds'
            ? ((operands.d ?? 0) << 4) | (operands.s ?? 0)
            : this.value(field[0] as string, operands, at);
        if (field !== 'n' && !fits(value, width)) throw new Error(`${field} does not hold ${value}`);
        for (let i = 0; i < width; i++) bytes[to++] = (value >>> (8 * (width - 1 - i))) & 255;
      }
    }
    return bytes;
  }

  private choose(variants: readonly Variant[], operands: AssemblyOperands): Variant | undefined {
    const letters = (v: Variant): boolean =>
      v.fields.every((f) => {
        const value = operands[f[0] as 'v' | 'w' | 't'];
        return (
          f === 'ds' ||
          f === 'n' ||
          (typeof value === 'string' ? FIELD_BYTES[f] === 4 : fits(value ?? 0, FIELD_BYTES[f]))
        );
      });
    return variants.find(letters);
  }

  private value(letter: string, operands: AssemblyOperands, at: number): number {
    const value = operands[letter as keyof AssemblyOperands] ?? 0;
    if (typeof value === 'number') return value;
    const address = this.labels.get(value);
    if (address === undefined) throw new Error(`no label ${value}`);
    // Targets are distances; elsewhere a label is its address.
    return letter === 't' ? address - at : address | 0;
  }
}
