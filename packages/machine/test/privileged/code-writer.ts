import { encodeInstruction, type EncodedOperands } from '@polyvisor/isa-riscv/testing';

/** Appends instructions to a program at a fixed address. */
export class CodeWriter {
  private readonly words: number[] = [];
  private readonly origin: number;

  constructor(origin: number) {
    this.origin = origin;
  }

  /** Address of the next instruction. */
  get pc(): number {
    return this.origin + 4 * this.words.length;
  }
  get bytes(): Uint8Array {
    return new Uint8Array(Uint32Array.from(this.words).buffer);
  }

  word(bits: number): void {
    this.words.push(bits >>> 0);
  }
  op(name: string, operands: EncodedOperands = {}): void {
    this.word(encodeInstruction(name, operands));
  }
  /** Loads a constant, 64 bits. */
  li(rd: number, value: bigint): void {
    const signed = BigInt.asIntN(64, value);
    const low = Number(BigInt.asIntN(12, signed));
    if (BigInt.asIntN(32, signed) === signed) {
      const high = Number(BigInt.asIntN(32, signed - BigInt(low)));
      if (high === 0) return this.op('addi', { rd, imm: low });
      this.op('lui', { rd, imm: high });
      return this.op('addiw', { rd, rs1: rd, imm: low });
    }
    this.li(rd, (signed - BigInt(low)) >> 12n);
    this.op('slli', { rd, rs1: rd, shamt: 12 });
    if (low !== 0) this.op('addi', { rd, rs1: rd, imm: low });
  }
  /** Loads the address of something at a fixed distance: right at any address that the code is seen at. */
  la(rd: number, address: number): void {
    const offset = address - this.pc;
    const high = ((offset + 0x800) >> 12) << 12;
    this.op('auipc', { rd, imm: high });
    this.op('addi', { rd, rs1: rd, imm: offset - high });
  }
  /** {@link la} of an address that is known later: give it to the function that this returns. */
  laLater(rd: number): (address: number) => void {
    const at = this.words.length;
    this.la(rd, this.pc);
    return (address) => {
      const later = this.words.splice(at);
      this.la(rd, address);
      this.words.push(...later.slice(2));
    };
  }
  call(address: number): void {
    this.op('jal', { rd: 1, target: address - this.pc });
  }
  csrw(csr: number, rs1: number): void {
    this.op('csrrw', { rs1, csr });
  }
  csrr(rd: number, csr: number): void {
    this.op('csrrs', { rd, csr });
  }
  /** `body`, preceded by setting x`resume` to the address behind it. */
  step(resume: number, body: () => void): void {
    const at = this.words.length;
    this.word(0);
    this.word(0);
    body();
    this.op('auipc', { rd: resume, imm: 0 });
    this.words[at] = this.words.pop() as number;
    this.words[at + 1] = encodeInstruction('addi', {
      rd: resume,
      rs1: resume,
      imm: 4 * (this.words.length - at),
    });
  }
}
