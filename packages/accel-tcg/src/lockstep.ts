import { PolyvisorError } from '@polyvisor/contracts';
import { ENV, EXIT } from '@polyvisor/tcg';
import { CONTROL } from './control.ts';
import type { Deferral } from './deferral.ts';
import type { Engine } from './engine.ts';
import type { PrivatePages } from './private-pages.ts';
import { PRIVATE_PAGES } from './vm-layout.ts';

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

/** What the comparison works with: two engines of one vCPU that share all of it. */
export interface LockstepParts {
  readonly translator: Engine;
  readonly interpreter: Engine;
  readonly pages: PrivatePages;
  readonly deferral: Deferral;
  /** Where stores are logged. */
  readonly journal: { readonly at: number; readonly bytes: number };
}

/** One access to the outside during a step: done once, replayed after. */
interface OutsideAccess {
  readonly key: string;
  readonly answer: number;
  readonly low: number;
  readonly high: number;
}

/** What a run came to. */
interface Outcome {
  readonly code: number;
  readonly executed: number;
  readonly fields: readonly bigint[];
  /** Bytes that it stored to, by their address in guest memory, as it left them. */
  readonly stores: ReadonlyMap<number, number>;
}

/** Instructions in one step at most. */
const STEP = 2000;
const ENTRY = 16;
/** Pages that a step may store to; a longer list of them ends it. */
const WANTED_PAGES = PRIVATE_PAGES / 2;
/** Pages that the next step is expected to store to. */
const RECENT_PAGES = PRIVATE_PAGES / 2;
/** How long to wait for a device that has written to count it. */
const COUNT_DELAY_MS = 20;

/**
 * Runs both tiers over the same instructions and compares registers and stores: first the translator's engine, which
 * stores to copies of pages that nobody else sees; then the interpreter's, for good. So a store is made once, and
 * devices see no memory that the guest would not show them. Accesses to devices and clocks happen in the first run
 * only, their results are replayed in the second. Where the runs differ and a device has written to memory meanwhile,
 * nothing can be told: the step counts as unjudged, and the guest goes on as the interpreter left it.
 */
export class Lockstep {
  private readonly parts: LockstepParts;
  private readonly fields: readonly ComparedField[];
  private readonly outsideWrites: () => number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly env: number;
  private readonly before: Uint8Array;
  private readonly outside: OutsideAccess[] = [];
  private replayAt = -1;
  private recentPages: readonly number[] = [];
  /** A repeated run may go further than the first one did: what comes then is done. */
  private extending = false;
  /** Accesses to the outside that the two runs did not have in common. */
  private accessDifference = '';
  /** Steps and instructions so far; steps that a device made incomparable. */
  readonly counts = { steps: 0, instructions: 0, unjudged: 0 };

  constructor(memory: WebAssembly.Memory, parts: LockstepParts, guest: LockstepGuest) {
    this.parts = parts;
    parts.translator.peer = parts.interpreter;
    parts.interpreter.peer = parts.translator;
    this.fields = guest.fields;
    this.outsideWrites = guest.outsideWrites ?? (() => 0);
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.env = parts.translator.env;
    this.before = new Uint8Array(ENV.tlb);
  }

  /** Drops all translations of both engines. */
  flushCode(): void {
    this.parts.translator.flushCode();
    this.parts.interpreter.flushCode();
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
    const writes = this.outsideWrites();
    const first = this.runPrivate(this.parts.translator, Math.min(budget, STEP));
    this.counts.steps++;
    this.restore();
    if (first.executed === 0) return first.code;
    this.replayAt = 0;
    const second = this.outcome(this.parts.interpreter, first.executed);
    this.replayAt = -1;
    this.counts.instructions += second.executed;
    const difference = this.difference(first, second);
    if (difference === undefined) return first.code;
    if (this.accessDifference !== '' || !this.wroteSince(writes)) {
      throw this.explain(first.executed, difference);
    }
    this.counts.unjudged++;
    return second.code;
  }

  /** Whether a device wrote to memory, so that the second run may have seen something else than the first. */
  private wroteSince(writes: number): boolean {
    if (this.outsideWrites() === writes) {
      const nothing = new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(nothing, 0, 0, COUNT_DELAY_MS);
    }
    return this.outsideWrites() !== writes;
  }

  private pc(): bigint {
    return this.view.getBigUint64(this.env + ENV.pc, true);
  }

  /**
   * A run whose stores nobody sees: pages that it stores to are copied before it begins. Which ones these are shows on
   * the way; then it begins anew. Most are those of the steps before.
   */
  private runPrivate(engine: Engine, steps: number): Outcome {
    const { pages } = this.parts;
    const records = this.replayAt < 0;
    const wanted = new Set<number>();
    let alone = steps === 1;
    engine.keepPrivate(true);
    try {
      for (;;) {
        for (const page of alone ? wanted : new Set([...wanted, ...this.recentPages])) {
          if (alone || !engine.holdsCode(page)) pages.copy(page);
        }
        engine.alone = alone;
        engine.wantsAlone = false;
        engine.wantedPage = 0;
        const outcome = this.outcome(engine, alone ? 1 : steps);
        const toAlone = !alone && engine.wantsAlone && outcome.executed === 0;
        if (engine.wantedPage !== 0 && wanted.size < WANTED_PAGES) wanted.add(engine.wantedPage);
        else if (!toAlone) return outcome;
        if (toAlone) alone = true;
        pages.drop();
        this.restore();
        // What it has done outside stays done.
        this.replayAt = 0;
        this.extending = records;
      }
    } finally {
      engine.keepPrivate(false);
      engine.alone = false;
      pages.drop();
      this.recentPages = [...new Set([...wanted, ...this.recentPages])].slice(0, RECENT_PAGES);
      this.extending = false;
      if (records) this.replayAt = -1;
    }
  }

  private outcome(engine: Engine, steps: number): Outcome {
    const { interpreter, journal } = this.parts;
    engine.journal(journal.at, journal.bytes / ENTRY);
    engine.setBudget(steps);
    const before = engine.instructionCount();
    const code = engine === interpreter ? this.repeat() : engine.run();
    const executed = engine.instructionCount() - before;
    const stores = new Map<number, number>();
    this.eachStore(engine, (host, width) => {
      const original = this.parts.pages.original(host);
      for (let i = 0; i < width; i++) stores.set(original + i, this.bytes[host + i] as number);
    });
    return { code, executed, fields: this.fields.map((field) => this.fieldValue(field)), stores };
  }

  /** Runs the interpreter to the end of the step: requests to exit that come meanwhile are kept for later. */
  private repeat(): number {
    const request = (this.env + ENV.exitRequest) >>> 2;
    const words = new Int32Array(this.bytes.buffer);
    const { deferral } = this.parts;
    const deferrals = deferral.count;
    let wanted = 0;
    this.accessDifference = '';
    for (;;) {
      wanted |= Atomics.exchange(words, request, 0);
      const code = this.interpret();
      const left = this.view.getInt32(this.env + ENV.budget, true);
      // Put off: the runs have gone different ways.
      if (code !== EXIT.unwind || left <= 0 || deferral.count !== deferrals) {
        Atomics.or(words, request, wanted);
        return code;
      }
    }
  }

  private interpret(): number {
    try {
      return this.parts.interpreter.run();
    } catch (error) {
      if (this.accessDifference === '') throw error;
      // Told by `difference`; the step is at its end.
      this.view.setInt32(this.env + ENV.budget, 0, true);
      return EXIT.budget;
    }
  }

  private difference(first: Outcome, second: Outcome): string | undefined {
    if (this.accessDifference !== '') return `access to the outside: ${this.accessDifference}`;
    const differences = this.fields.flatMap(({ name }, i) => {
      const [a, b] = [first.fields[i], second.fields[i]];
      return a === b ? [] : [`${name}: translator 0x${a?.toString(16)}, interpreter 0x${b?.toString(16)}`];
    });
    if (
      second.code !== first.code &&
      !(second.code === EXIT.budget || first.code === EXIT.budget || first.code === EXIT.unwind)
    ) {
      differences.push(`exit: translator ${first.code}, interpreter ${second.code}`);
    }
    const stored = (outcome: Outcome, host: number): string => `${outcome.stores.get(host) ?? 'nothing'}`;
    for (const host of [...first.stores.keys(), ...second.stores.keys()]) {
      if (first.stores.get(host) === second.stores.get(host)) continue;
      differences.push(
        `stored at ${host.toString(16)}: translator ${stored(first, host)}, interpreter ${stored(second, host)}`,
      );
      break;
    }
    return differences.length === 0 ? undefined : differences.slice(0, 6).join('; ');
  }

  private eachStore(engine: Engine, visit: (host: number, width: number, old: bigint) => void): void {
    const end = engine.journalPosition() >>> 0;
    for (let at = this.parts.journal.at; at < end; at += ENTRY) {
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
      [CONTROL.kick, CONTROL.end - CONTROL.kick],
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

  /**
   * Finds the shortest run that shows a difference: its last instruction is the one to look at. The step is taken back
   * for that, whoever may have seen it: nothing comes after.
   */
  private explain(executed: number, difference: string): PolyvisorError {
    const { translator, interpreter } = this.parts;
    this.takeBack();
    let good = 0;
    let bad = executed;
    let shown = difference;
    let place = new DataView(this.before.buffer).getBigUint64(ENV.pc, true);
    const start = place;
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      this.restore();
      this.replayAt = 0;
      const first = this.runPrivate(translator, middle);
      this.restore();
      this.replayAt = 0;
      this.accessDifference = '';
      const second = this.runPrivate(interpreter, first.executed);
      const found = this.difference(first, second);
      if (found === undefined) {
        good = middle;
        place = this.pc();
      } else {
        bad = middle;
        shown = found;
      }
    }
    this.replayAt = -1;
    return new PolyvisorError('internal', {
      what: 'tiers differ',
      which: `after ${bad} instructions from pc 0x${start.toString(16)}`,
      limit: `they agree up to pc 0x${place.toString(16)}; ${shown}`,
    });
  }

  /** Undoes the interpreter's stores. */
  private takeBack(): void {
    const entries: { host: number; width: number; old: bigint }[] = [];
    this.eachStore(this.parts.interpreter, (host, width, old) => entries.push({ host, width, old }));
    for (const { host, width, old } of entries.reverse()) {
      for (let i = 0; i < width; i++) this.bytes[host + i] = Number((old >> BigInt(8 * i)) & 0xffn);
    }
  }
}
