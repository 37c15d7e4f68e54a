/** One instruction of classic BPF (linux/filter.h `struct sock_filter`). Jumps count from the next instruction. */
export interface Instruction {
  readonly code: number;
  /** Taken where a comparison holds; below 256. */
  readonly jumpTrue: number;
  /** Taken where it does not. */
  readonly jumpFalse: number;
  readonly k: number;
}

/** The few opcodes that the filters consist of (linux/bpf_common.h), named as there. */
export const BPF = {
  /** A = 32 bits at offset k of `struct seccomp_data`. */
  LD_W_ABS: 0x20,
  ALU_AND_K: 0x54,
  JMP_JA: 0x05,
  JMP_JEQ_K: 0x15,
  JMP_JGE_K: 0x35,
  RET_K: 0x06,
} as const;

/** Offsets in `struct seccomp_data` (linux/seccomp.h); both architectures are little-endian. */
export const DATA = { nr: 0, arch: 4, arguments: 16, argumentBytes: 8 } as const;

/** What a filter can answer (linux/seccomp.h); the low 16 bits of ERRNO are the error's number. */
export const RETURN = { allow: 0x7fff0000, errno: 0x00050000, killProcess: 0x80000000 } as const;

/** The kernel takes no longer ones (linux/bpf_common.h BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4096;

const INSTRUCTION_BYTES = 8;

/** As the kernel reads them: 8 bytes each. */
export function encodeInstructions(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(program.length * INSTRUCTION_BYTES));
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jumpTrue, jumpFalse, k }, index) => {
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jumpTrue);
    view.setUint8(at + 3, jumpFalse);
    view.setUint32(at + 4, k, true);
  });
  return bytes;
}
