import {
  ENV,
  HANDLER,
  PAGE_BITS,
  PAGE_SIZE,
  pageArrayBytes,
  RECORD,
  recordBytes,
  type Predecoder,
} from '@polyvisor/tcg';

/** What the guest's CPU brings for fetching by hand; faults are raised. */
export interface FetchHelpers {
  walk(env: number, va: bigint, access: number): number;
  access_fault(env: number, va: bigint, access: number): void;
}

export interface SingleFetchOptions {
  readonly memory: WebAssembly.Memory;
  readonly env: number;
  readonly frontEnd: { readonly alignmentLog2: number; readonly maxLength: number };
  readonly predecoder: Predecoder;
  readonly helpers: FetchHelpers;
  /** Where its record array lies, {@link splitBytes}. */
  readonly records: number;
  /** Address of a guest-physical page in linear memory; 0: not memory. */
  readonly hostOfPage: (page: number) => number;
}

/** Kind of access of `walk` and `access_fault`. */
const EXECUTE = 2;

/** Bytes of the record array. */
export const splitBytes = (alignmentLog2: number): number => (pageArrayBytes(alignmentLog2) + 63) & ~63;

/**
 * Decodes single instructions at whatever address, piece by piece as far as memory is alike: those that continue in the
 * next page, and all of pages of which only parts may be executed (RISC-V: PMP ranges smaller than a page).
 */
export class SingleFetch {
  private readonly options: SingleFetchOptions;
  private readonly words: Int32Array;
  private readonly bigWords: BigUint64Array;
  private readonly bytes: Uint8Array;

  constructor(options: SingleFetchOptions) {
    this.options = options;
    this.words = new Int32Array(options.memory.buffer);
    this.bigWords = new BigUint64Array(options.memory.buffer);
    this.bytes = new Uint8Array(options.memory.buffer);
  }

  /** Fills the crossing record with the instruction at pc, or leaves a fault raised at pc. */
  decode(pc: bigint, mode: number): void {
    const { env, predecoder, helpers } = this.options;
    const { maxLength, alignmentLog2 } = this.options.frontEnd;
    const bytes = new Uint8Array(maxLength);
    for (let known = 0; known < maxLength;) {
      const va = BigInt.asUintN(64, pc + BigInt(known));
      if (helpers.walk(env, va, EXECUTE) === 0) return;
      const host = this.walkedHost();
      if (host === 0) return helpers.access_fault(env, va, EXECUTE);
      // Of a page that is not all alike only this place is known.
      const whole = (this.words[(env + ENV.walkSizeLog2) >>> 2] as number) >= PAGE_BITS;
      const left = whole ? PAGE_SIZE - Number(va & 0xfffn) : 1 << alignmentLog2;
      const end = Math.min(known + left, maxLength);
      bytes.set(this.bytes.subarray(host, host + end - known), known);
      known = end;
      // A short instruction may turn out to need nothing of what comes next.
      if (predecoder.decodeCrossing(env + ENV.crossing, bytes.subarray(0, known), pc, mode)) return;
    }
  }

  private walkedHost(): number {
    const pa = Number(this.bigWords[(this.options.env + ENV.walkPa) >>> 3]);
    const page = this.options.hostOfPage(Math.floor(pa / PAGE_SIZE));
    return page === 0 ? 0 : page + (pa % PAGE_SIZE);
  }

  /** The one record array of all pages whose instructions are decoded each time they are executed. */
  splitRecords(): number {
    const { records, frontEnd, predecoder } = this.options;
    if (((this.words[records >>> 2] as number) & 0xffff) !== HANDLER.crossing) {
      const end = records + recordBytes(frontEnd.alignmentLog2);
      for (let at = records; at < end; at += RECORD.size) this.words[at >>> 2] = HANDLER.crossing;
      predecoder.initialize(records);
    }
    return records;
  }
}
