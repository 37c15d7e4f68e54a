import { BPF, type Instruction } from '../src/seccomp/instruction.ts';

/** Runs a filter on the bytes of a `struct seccomp_data`, for tests. Throws on what the kernel would refuse to load. */
export function runFilter(program: readonly Instruction[], data: DataView): number {
  let accumulator = 0;
  let at = 0;
  for (;;) {
    const instruction = program[at++];
    if (instruction === undefined) throw new RangeError('ran off the end of the filter');
    const { code, k, jumpTrue, jumpFalse } = instruction;
    if (code === BPF.RET_K) return k >>> 0;
    else if (code === BPF.LD_W_ABS) accumulator = data.getUint32(k, true);
    else if (code === BPF.ALU_AND_K) accumulator = (accumulator & k) >>> 0;
    else if (code === BPF.JMP_JA) at += k;
    else if (code === BPF.JMP_JEQ_K) at += accumulator === k >>> 0 ? jumpTrue : jumpFalse;
    else if (code === BPF.JMP_JGE_K) at += accumulator >= k >>> 0 ? jumpTrue : jumpFalse;
    else throw new RangeError(`unknown opcode ${code}`);
  }
}
