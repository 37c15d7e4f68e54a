import { ENV, EXIT } from '@polyvisor/tcg';

/**
 * Puts off an instruction that is being executed: it ends as if it had raised a fault, which is taken back. The run
 * then returns `EXIT.unwind` in front of it, and it counts as not executed.
 */
export class Deferral {
  private readonly words: Int32Array;
  private readonly bigWords: BigUint64Array;
  private readonly env: number;
  private readonly deliverFault: (env: number) => void;
  /** The fault that stands for a deferral has not been taken back yet. */
  private pending = false;
  /** How often it happened. */
  count = 0;

  /** @param deliver turns a real fault into the guest's trap. */
  constructor(memory: WebAssembly.Memory, env: number, deliver: (env: number) => void) {
    this.words = new Int32Array(memory.buffer);
    this.bigWords = new BigUint64Array(memory.buffer);
    this.env = env;
    this.deliverFault = deliver;
  }

  /** Within a memory access or an instruction fetch, which must then fail. */
  begin(): void {
    this.pending = true;
    this.count++;
    this.words[(this.env + ENV.fault) >>> 2] = 1;
  }

  /** Forgets one that has not come to its end. */
  reset(): void {
    this.pending = false;
  }

  /** What translated code must be linked with as `isa.deliver`. */
  deliver(): void {
    if (!this.pending) return this.deliverFault(this.env);
    this.pending = false;
    this.words[(this.env + ENV.fault) >>> 2] = 0;
    this.words[(this.env + ENV.hostExit) >>> 2] = EXIT.unwind;
    const count = (this.env + ENV.icount) >>> 3;
    this.bigWords[count] = (this.bigWords[count] as bigint) - 1n;
  }
}
