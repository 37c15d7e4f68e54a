import { stateOffset } from '@polyvisor/isa-riscv';
import { ENV, PAGE_SIZE } from '@polyvisor/tcg';
import { CONTROL, FENCE_REQUEST } from './control.ts';
import type { Engine } from './engine.ts';
import type { Signals } from './signals.ts';
import { VM_WORD, type VmLayout } from './vm-layout.ts';

export interface HartFencesOptions {
  readonly index: number;
  readonly vcpus: number;
  readonly memory: WebAssembly.Memory;
  readonly layout: VmLayout;
  readonly signals: Signals;
}

/** What a remote fence is over. Numbers as the machine's `remoteFence` has them. */
const KIND = { code: 0, addresses: 1, addressesOfAsid: 2 } as const;
const STATE = { empty: 0, asked: 1, busy: 2 } as const;
/** More pages than this cost more one by one than a flush of everything. */
const PAGES_MOST = 64;
const PAGES_MASK = 0xff;
const ASID_SHIFT = 8;
const ASID_MASK = 0xffff;
const HAS_ASID = 1 << 24;
/** satp.ASID in the upper half of the register. */
const SATP_ASID_SHIFT = 12;
const SATP = stateOffset('satp');

/** Virtual pages, by number. */
export interface PageRange {
  readonly first: number;
  readonly pages: number;
}

/** The pages of a range of bytes given in halves. */
export function pageRange(startLow: number, startHigh: number, sizeLow: number, sizeHigh: number): PageRange {
  const size = (sizeHigh >>> 0) * 2 ** 32 + (sizeLow >>> 0);
  const inside = startLow & (PAGE_SIZE - 1);
  return {
    first: (startHigh >>> 0) * 2 ** 20 + (startLow >>> 12),
    pages: size === 0 ? 0 : Math.ceil((inside + size) / PAGE_SIZE),
  };
}

/** Fences between harts: what one asks of others, what it does for them, and fence.i. One per vCPU thread. */
export class HartFences {
  private readonly options: HartFencesOptions;
  private readonly engine: Engine;
  private readonly words: Int32Array;
  private readonly env: number;
  private readonly waiters: number;

  constructor(options: HartFencesOptions, engine: Engine) {
    this.options = options;
    this.engine = engine;
    this.words = new Int32Array(options.memory.buffer);
    this.env = engine.env;
    this.waiters = (options.layout.words >>> 2) + VM_WORD.waiters;
  }

  /** From here on others wait for this vCPU where they need to; before guest code runs, {@link serve} must. */
  startRunning(): void {
    Atomics.store(this.words, (this.env + CONTROL.running) >>> 2, 1);
    this.engine.readCodeLog(true);
  }

  stopRunning(): void {
    Atomics.store(this.words, (this.env + CONTROL.running) >>> 2, 0);
    this.notifyWaiters();
  }

  /** Somebody may wait until this vCPU has read the code log, has done its fences or stands still. */
  notifyWaiters(): void {
    if (Atomics.load(this.words, this.waiters) === 0) return;
    Atomics.notify(this.words, (this.env + CONTROL.fenceDone) >>> 2);
    Atomics.notify(this.words, (this.env + CONTROL.codeLogTail) >>> 2);
  }

  private blockOf(hart: number): number {
    return this.options.layout.vcpus + hart * ENV.size;
  }

  /**
   * Has the harts of a mask do a fence, and returns when they have.
   * @param range first page and number of pages; 0 pages, or many: everything.
   */
  remote(mask: number, kind: number, range: PageRange, asid: number): void {
    const { words } = this;
    const { index, vcpus, signals } = this.options;
    const wanted: { env: number; sequence: number }[] = [];
    for (let hart = 0; hart < vcpus; hart++) {
      if ((mask & (1 << hart)) === 0) continue;
      const env = this.blockOf(hart);
      if (kind === KIND.code) Atomics.store(words, (env + CONTROL.fenceCode) >>> 2, 1);
      else this.ask(env, range, kind === KIND.addressesOfAsid ? asid : -1);
      const sequence = (Atomics.add(words, (env + CONTROL.fenceWanted) >>> 2, 1) + 1) | 0;
      // A hart that stands still does it before it runs again.
      if (hart === index || Atomics.load(words, (env + CONTROL.running) >>> 2) === 0) continue;
      signals.nudge(hart);
      wanted.push({ env, sequence });
    }
    this.serve();
    for (const { env, sequence } of wanted) this.awaitOther(env, CONTROL.fenceDone, sequence);
  }

  private requestSlot(env: number, from: number): number {
    return (env + CONTROL.fenceRequests + from * FENCE_REQUEST.size) >>> 2;
  }

  /** Leaves in a hart's block what this one wants flushed there. */
  private ask(env: number, { first, pages }: PageRange, asid: number): void {
    const { words } = this;
    const slot = this.requestSlot(env, this.options.index);
    const some = pages <= PAGES_MOST;
    for (;;) {
      const state = Atomics.load(words, slot);
      if (state === STATE.busy || Atomics.compareExchange(words, slot, state, STATE.busy) !== state) continue;
      // What it was asked before, and has not done yet, must be in it: everything is.
      const all = state === STATE.asked;
      words[slot + FENCE_REQUEST.what] =
        (some && !all ? pages : 0) | (asid < 0 || all ? 0 : HAS_ASID | ((asid & ASID_MASK) << ASID_SHIFT));
      words[slot + FENCE_REQUEST.pageLow] = first | 0;
      words[slot + FENCE_REQUEST.pageHigh] = (first / 2 ** 32) | 0;
      Atomics.store(words, slot, STATE.asked);
      return;
    }
  }

  /** Does what others have asked of this hart. */
  serve(): void {
    const { words, env } = this;
    const wanted = Atomics.load(words, (env + CONTROL.fenceWanted) >>> 2);
    const done = (env + CONTROL.fenceDone) >>> 2;
    if (Atomics.load(words, done) === wanted) return;
    if (Atomics.exchange(words, (env + CONTROL.fenceCode) >>> 2, 0) !== 0) this.fenceCode();
    for (let from = 0; from < this.options.vcpus; from++) this.serveRequest(this.requestSlot(env, from));
    Atomics.store(words, done, wanted);
    this.notifyWaiters();
  }

  private serveRequest(slot: number): void {
    const { words } = this;
    if (Atomics.compareExchange(words, slot, STATE.asked, STATE.busy) !== STATE.asked) return;
    const what = words[slot + FENCE_REQUEST.what] as number;
    const low = (words[slot + FENCE_REQUEST.pageLow] as number) >>> 0;
    const high = words[slot + FENCE_REQUEST.pageHigh] as number;
    Atomics.store(words, slot, STATE.empty);
    // The TLBs hold nothing of another address space: a write to satp flushes them.
    const asid = ((words[(this.env + SATP + 4) >>> 2] as number) >>> SATP_ASID_SHIFT) & ASID_MASK;
    if ((what & HAS_ASID) !== 0 && ((what >>> ASID_SHIFT) & ASID_MASK) !== asid) return;
    const pages = what & PAGES_MASK;
    if (pages === 0) return this.engine.flushTlb();
    const first = BigInt.asIntN(64, ((BigInt(high) << 32n) | BigInt(low)) << 12n);
    for (let i = 0; i < pages; i++) this.engine.flushPage(BigInt.asIntN(64, first + BigInt(i * PAGE_SIZE)));
  }

  /** Waits until a counter of another vCPU has come to `goal`, or that vCPU stands still. Serves what others wait for. */
  private awaitOther(env: number, counter: number, goal: number): void {
    const { words, waiters } = this;
    const at = (env + counter) >>> 2;
    Atomics.add(words, waiters, 1);
    try {
      for (;;) {
        const seen = Atomics.load(words, at);
        if (((seen - goal) | 0) >= 0 || Atomics.load(words, (env + CONTROL.running) >>> 2) === 0) return;
        this.engine.readCodeLog();
        this.notifyWaiters();
        if (counter === CONTROL.fenceDone) this.serve();
        Atomics.wait(words, at, seen, 1);
      }
    } finally {
      Atomics.sub(words, waiters, 1);
    }
  }

  /**
   * fence.i. Stores of others to pages that this hart has translated since they looked at the code log last may have
   * gone unnoticed: they are asked to look (what they had write entries for, they report), then this hart does.
   */
  fenceCode(): void {
    const { words } = this;
    const { index, vcpus, signals } = this.options;
    const goal = this.engine.translatedUpTo();
    for (let hart = 0; hart < vcpus; hart++) {
      const env = this.blockOf(hart);
      const tail = Atomics.load(words, (env + CONTROL.codeLogTail) >>> 2);
      if (hart === index || ((tail - goal) | 0) >= 0) continue;
      if (Atomics.load(words, (env + CONTROL.running) >>> 2) === 0) continue;
      signals.nudge(hart);
      this.awaitOther(env, CONTROL.codeLogTail, goal);
    }
    this.engine.readCodeLog();
  }
}
