import { PolyvisorError } from '@polyvisor/contracts';
import { ENV, EXIT } from '@polyvisor/tcg';
import { CONTROL } from './control.ts';
import type { Engine } from './engine.ts';

/** A range of the vCPU block that both tiers must agree on, by name for the report. */
export interface ComparedField {
  readonly name: string;
  /** Byte offset in the vCPU block. */
  readonly offset: number;
  readonly width: 1 | 4 | 8;
}

/** What the guest CPU tells the comparison. */
export interface LockstepGuest {
  readonly fields: readonly ComparedField[];
  /** Counts what others (devices) have written to guest memory, right after each write. Absent: nobody does. */
  readonly outsideWrites?: () => number;
}

/** One access to the outside during a step: done once, replayed after. */
interface OutsideAccess {
  readonly key: string;
  readonly answer: number;
  readonly low: number;
  readonly high: number;
}

/** Instructions in one step at most. */
const STEP = 2000;
const ENTRY = 16;
/** A step during which devices wrote to memory is taken again, this often at most. */
const RETRIES = 20;
/** How long to wait for a device that has written to count it. */
const COUNT_DELAY_MS = 20;

/**
 * Runs both tiers over the same instructions and compares registers and memory: first the translator's engine,
 * whose stores are journaled; then everything is put back and the interpreter's engine does the same.
 * Accesses to devices and clocks happen in the first run only, their results are replayed in the second.
 */
export class Lockstep {
  private readonly translator: Engine;
  private readonly interpreter: Engine;
  private readonly journal: { readonly at: number; readonly bytes: number };
  private readonly fields: readonly ComparedField[];
  private readonly outsideWrites: () => number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly env: number;
  private readonly before: Uint8Array;
  private readonly outside: OutsideAccess[] = [];
  private replayAt = -1;
  /** A repeated step may go further than the first one did: what comes then is done. */
  private extending = false;
  /** Accesses to the outside that the two runs did not have in common. */
  private accessDifference = '';
  /** Steps and instructions compared; steps taken again. */
  readonly counts = { steps: 0, instructions: 0, retries: 0 };

  constructor(
    memory: WebAssembly.Memory,
    engines: { readonly translator: Engine; readonly interpreter: Engine },
    journal: { readonly at: number; readonly bytes: number },
    guest: LockstepGuest,
  ) {
    this.translator = engines.translator;
    this.interpreter = engines.interpreter;
    this.translator.peer = this.interpreter;
    this.interpreter.peer = this.translator;
    this.journal = journal;
    this.fields = guest.fields;
    this.outsideWrites = guest.outsideWrites ?? (() => 0);
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.env = engines.translator.env;
    this.before = new Uint8Array(ENV.tlb);
  }

  /** Drops all translations of both engines. */
  flushCode(): void {
    this.translator.flushCode();
    this.interpreter.flushCode();
  }

  /** Something outside the vCPU: done and remembered, or in the second run taken from memory. */
  access(key: string, perform: () => number): number {
    const value = (this.env + ENV.mmioValue) >>> 0;
    if (this.replayAt < 0 || (this.extending && this.replayAt >= this.outside.length)) {
      const answer = perform();
      const low = this.view.getInt32(value, true);
      const high = this.view.getInt32(value + 4, true);
      this.outside.push({ key, answer, low, high });
      if (this.replayAt >= 0) this.replayAt++;
      return answer;
    }
    const access = this.outside[this.replayAt++];
    if (access?.key !== key) {
      this.accessDifference = `${access?.key ?? 'none'}, then ${key}`;
      throw new PolyvisorError('internal', {
        what: 'tiers differ in an access to the outside',
        which: `pc 0x${this.pc().toString(16)}`,
        limit: this.accessDifference,
      });
    }
    this.view.setInt32(value, access.low, true);
    this.view.setInt32(value + 4, access.high, true);
    return access.answer;
  }

  /**
   * One step. Returns the exit code as an engine's `run` would.
   * @throws PolyvisorError internal at the first difference, with the instruction after which it shows.
   */
  run(budget: number): number {
    this.before.set(this.bytes.subarray(this.env, this.env + ENV.tlb));
    this.outside.length = 0;
    const steps = Math.min(budget, STEP);
    for (let attempt = 0; ; attempt++) {
      const writes = this.outsideWrites();
      const first = attempt === 0 ? this.runTranslator(steps) : this.runTranslatorAgain(steps);
      const after = this.fieldValues();
      const stores = this.undoStores();
      const difference = this.compare(first.executed, first.code, after, stores);
      if (difference === undefined) {
        this.counts.steps++;
        this.counts.instructions += first.executed;
        return first.code;
      }
      if (attempt === RETRIES || !this.wroteSince(writes)) throw this.explain(first.executed, difference);
      this.counts.retries++;
      this.takeBack();
    }
  }

  /** Whether a device wrote to memory, so that the second run may have seen something else than the first. */
  private wroteSince(writes: number): boolean {
    if (this.outsideWrites() === writes) {
      const nothing = new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(nothing, 0, 0, COUNT_DELAY_MS);
    }
    return this.outsideWrites() !== writes;
  }

  /** Accesses to the outside have been made: the same ones get the same answers, further ones are made now. */
  private runTranslatorAgain(steps: number): { code: number; executed: number } {
    this.replayAt = 0;
    this.extending = true;
    try {
      const result = this.runTranslator(steps);
      if (this.replayAt < this.outside.length) {
        throw new PolyvisorError('internal', {
          what: "a step of both tiers can't be repeated",
          which: `pc 0x${this.pc().toString(16)}`,
          limit: 'a device changed memory, and without that there is no access to the outside',
        });
      }
      return result;
    } finally {
      this.extending = false;
      this.replayAt = -1;
    }
  }

  private pc(): bigint {
    return this.view.getBigUint64(this.env + ENV.pc, true);
  }

  private runTranslator(steps: number): { code: number; executed: number } {
    this.translator.journal(this.journal.at, this.journal.bytes / ENTRY);
    this.translator.setBudget(steps);
    const code = this.translator.run();
    return { code, executed: steps - this.view.getInt32(this.env + ENV.budget, true) };
  }

  /** Repeats the step on the interpreter and compares; leaves the interpreter's state in place. */
  private compare(
    executed: number,
    code: number,
    after: readonly bigint[],
    stores: ReadonlyMap<number, number>,
  ): string | undefined {
    this.restore();
    this.replayAt = 0;
    this.interpreter.journal(this.journal.at, this.journal.bytes / ENTRY);
    this.interpreter.setBudget(executed);
    this.accessDifference = '';
    const second = executed === 0 ? code : this.repeat();
    this.replayAt = -1;
    if (this.accessDifference !== '') return `access to the outside: ${this.accessDifference}`;
    const differences = this.fields.flatMap((field, i) => {
      const value = this.fieldValue(field);
      return value === after[i]
        ? []
        : [`${field.name}: translator 0x${after[i]?.toString(16)}, interpreter 0x${value.toString(16)}`];
    });
    if (second !== code && !(second === EXIT.budget || code === EXIT.budget || code === EXIT.unwind)) {
      differences.push(`exit: translator ${code}, interpreter ${second}`);
    }
    const own = new Set<number>();
    this.eachStore(this.interpreter, (host, width) => {
      for (let i = 0; i < width; i++) own.add(host + i);
    });
    for (const [host, byte] of stores) {
      own.delete(host);
      if (this.bytes[host] !== byte) {
        differences.push(
          `memory at ${host.toString(16)}: translator ${byte}, interpreter ${this.bytes[host]}`,
        );
        break;
      }
    }
    if (own.size > 0) differences.push(`the interpreter alone stored to ${[...own][0]?.toString(16)}`);
    return differences.length === 0 ? undefined : differences.slice(0, 6).join('; ');
  }

  /** Runs the interpreter to the end of the step: requests to exit that come meanwhile are kept for later. */
  private repeat(): number {
    const request = (this.env + ENV.exitRequest) >>> 2;
    const words = new Int32Array(this.bytes.buffer);
    let wanted = 0;
    for (;;) {
      wanted |= Atomics.exchange(words, request, 0);
      const code = this.runInterpreter();
      if (code !== EXIT.unwind || this.view.getInt32(this.env + ENV.budget, true) <= 0) {
        Atomics.or(words, request, wanted);
        return code;
      }
    }
  }

  private runInterpreter(): number {
    try {
      return this.interpreter.run();
    } catch (error) {
      if (this.accessDifference === '') throw error;
      // Told by `compare`; the step is at its end.
      this.view.setInt32(this.env + ENV.budget, 0, true);
      return EXIT.budget;
    }
  }

  /** Takes the step's stores back; returns what they had left, by address. */
  private undoStores(): Map<number, number> {
    const left = new Map<number, number>();
    const entries: { host: number; width: number; old: bigint }[] = [];
    this.eachStore(this.translator, (host, width, old) => {
      for (let i = 0; i < width; i++) left.set(host + i, this.bytes[host + i] as number);
      entries.push({ host, width, old });
    });
    this.putBack(entries);
    return left;
  }

  private eachStore(engine: Engine, visit: (host: number, width: number, old: bigint) => void): void {
    const end = engine.journalPosition() >>> 0;
    for (let at = this.journal.at; at < end; at += ENTRY) {
      visit(
        this.view.getUint32(at, true),
        this.view.getUint32(at + 4, true),
        this.view.getBigUint64(at + 8, true),
      );
    }
  }

  /** Everything of the vCPU block as before the step, but for what other threads write. */
  private restore(): void {
    const keep: [number, number][] = [
      [ENV.exitRequest, 4],
      [ENV.wake, 8],
      [CONTROL.kick, 0x40],
    ];
    const saved = keep.map(([offset, size]) => this.bytes.slice(this.env + offset, this.env + offset + size));
    this.bytes.set(this.before, this.env);
    keep.forEach(([offset], i) => this.bytes.set(saved[i] as Uint8Array, this.env + offset));
    // The TLBs hold more than they did then, and record arrays of the other engine: the next flush takes all.
    this.view.setInt32(this.env + ENV.tlbUsed, -1, true);
  }

  private fieldValue({ offset, width }: ComparedField): bigint {
    const at = this.env + offset;
    if (width === 8) return this.view.getBigUint64(at, true);
    return BigInt(width === 4 ? this.view.getUint32(at, true) : this.view.getUint8(at));
  }

  private fieldValues(): bigint[] {
    return this.fields.map((field) => this.fieldValue(field));
  }

  /** Finds the shortest run that shows a difference: its last instruction is the one to look at. */
  private explain(executed: number, difference: string): PolyvisorError {
    let good = 0;
    let bad = executed;
    let shown = difference;
    let place = 0n;
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      this.takeBack();
      this.replayAt = 0;
      const first = this.runTranslator(middle);
      this.replayAt = -1;
      const after = this.fieldValues();
      const stores = this.undoStores();
      const found = this.compare(first.executed, first.code, after, stores);
      if (found === undefined) {
        good = middle;
        place = this.pc();
      } else {
        bad = middle;
        shown = found;
      }
    }
    return new PolyvisorError('internal', {
      what: 'tiers differ',
      which: `after ${bad} instructions from pc 0x${new DataView(this.before.buffer).getBigUint64(ENV.pc, true).toString(16)}`,
      limit: `they agree up to pc 0x${place.toString(16)}; ${shown}`,
    });
  }

  /** Undoes the interpreter's run, so that the step can be taken again. */
  private takeBack(): void {
    const entries: { host: number; width: number; old: bigint }[] = [];
    this.eachStore(this.interpreter, (host, width, old) => entries.push({ host, width, old }));
    this.putBack(entries);
    this.restore();
  }

  private putBack(entries: { host: number; width: number; old: bigint }[]): void {
    for (const { host, width, old } of entries.reverse()) {
      for (let i = 0; i < width; i++) this.bytes[host + i] = Number((old >> BigInt(8 * i)) & 0xffn);
    }
  }
}
