// Over 600 lines: life, running, time and fences of a hart share its one block and its one safe point (`attend`).
import { createSharedClock, type ClockHandle, type SharedClock } from '@polyvisor/clock';
import { COUNTER_FENCE } from '@polyvisor/guest-memory';
import { PolyvisorError, type StateSection, type VcpuExit } from '@polyvisor/contracts';
import { F, RISCV, STATE_FIELDS, stateOffset, X } from '@polyvisor/isa-riscv';
import { ENV, EXIT } from '@polyvisor/tcg';
import { comparedFields } from './compared-fields.ts';
import { CONTROL } from './control.ts';
import { Deferral } from './deferral.ts';
import { Engine, type EngineHost, type EngineOptions, type Functions } from './engine.ts';
import { Lockstep } from './lockstep.ts';
import { PrivatePages } from './private-pages.ts';
import type * as stateCodec from './riscv-state.ts';
import type { HartBlock } from './riscv-state.ts';
import type { Signals } from './signals.ts';
import { JOURNAL_BYTES, PRIVATE_BYTES, VM_WORD, type VmLayout } from './vm-layout.ts';

/** What the vCPU asks of its machine; the machine's own type has the same shape. */
export interface RiscvVcpuHost {
  mmioRead(gpa: number, width: number): number;
  mmioWrite(gpa: number, width: number, low: number, high: number): void;
  highBits: number;
  fault: boolean;
  environmentCall?(): number;
  serviceTimers(): void;
}

export interface RiscvVcpuOptions {
  readonly index: number;
  readonly layout: VmLayout;
  readonly engine: Omit<EngineOptions, 'env' | 'arena'>;
  readonly isa: WebAssembly.Module;
  readonly softfloat: WebAssembly.Module;
  readonly clock: ClockHandle;
  readonly nsPerTick: number;
  readonly signals: Signals;
  /** Deterministic: the clock is the instruction count. */
  readonly icount: boolean;
  readonly fmaFused: boolean;
  /** Runs both tiers and compares. */
  readonly lockstep: boolean;
}

/** What `environmentCall` may answer. */
const ECALL = { continue: 0, halt: 1, shutdown: 2, wait: 3 } as const;
/** `features` bits, as the assembly defines them. */
const FEATURE = { sbi: 1, smp: 2 } as const;
/** Instructions between two looks around while interpreting. */
const QUANTUM = 50_000;
/** fpOptions bit: `relaxed_madd` is fused here. */
const FP_HOST_FMA = 1 << 8;
/** icount: nanoseconds of guest time for an instruction (QEMU's `shift=1`). */
const NS_PER_INSTRUCTION = 2;
const NEVER = 0xffff_ffff_ffff_ffffn;
/** Kind of a remote fence that is over instruction fetches; others are over translations of addresses. */
const FENCE_CODE = 0;
const PRIVILEGE_MACHINE = 3;

type StateCodec = typeof stateCodec;

interface IsaExports {
  deliver(env: number): void;
  configure(regions: number, count: number, flags: number, base: number): void;
  refresh(env: number): void;
  poll(env: number): void;
  wakeup(env: number): number;
  illegal_state(env: number): number;
}

const FIELD = {
  mtimecmp: stateOffset('mtimecmp'),
  stimecmp: stateOffset('stimecmp'),
  menvcfg: stateOffset('menvcfg'),
  mip: stateOffset('mip'),
  privilege: stateOffset('privilege'),
  features: stateOffset('features'),
  mhartid: stateOffset('mhartid'),
} as const;

/** A RISC-V hart on the engine. One thread; see contracts' `Vcpu` and the machine's `RiscvVcpu`. */
export class RiscvVcpu {
  readonly index: number;
  readonly engine: Engine;
  private readonly options: RiscvVcpuOptions;
  private readonly host: RiscvVcpuHost;
  private readonly env: number;
  private readonly words: Int32Array;
  private readonly big: BigUint64Array;
  private readonly doubles: Float64Array;
  private readonly clock: SharedClock;
  private readonly isa: IsaExports;
  private comparatorSeen = 0;
  private readonly lockstep: Lockstep | undefined;
  /** During a lockstep step time stands still: both tiers must see the same. */
  private frozen = false;
  private stateCodec: StateCodec | undefined;
  /** Inside WFI; `run` goes on waiting. */
  private waiting = false;
  /** icount: accesses to devices are made by a step of one instruction, after which interrupts are looked for. */
  private readonly defersAccesses: boolean;
  /** An access to a device waits for its step; that step is under way. */
  private deferred = false;
  private performing = false;
  private readonly deferral: Deferral;

  constructor(options: RiscvVcpuOptions, host: RiscvVcpuHost) {
    const { layout, index, engine } = options;
    const { memory } = engine;
    this.options = options;
    this.host = host;
    this.index = index;
    this.defersAccesses = options.icount || options.lockstep;
    this.env = layout.vcpus + index * ENV.size;
    this.words = new Int32Array(memory.buffer);
    this.big = new BigUint64Array(memory.buffer);
    this.doubles = new Float64Array(memory.buffer);
    this.clock = createSharedClock(options.clock);

    const softfloat = new WebAssembly.Instance(options.softfloat, { env: { memory } }).exports;
    // The helpers call the engine for stores to watched pages: bound once the engine exists.
    const late = { engine: undefined as Engine | undefined };
    const isa = new WebAssembly.Instance(options.isa, {
      env: { memory },
      host: {
        clock: () => this.updateTicks(),
        timer_changed: () => this.timerChanged(),
        fence_i: () => this.fenceI(),
        code_write: (_env: number, address: number, width: number) =>
          late.engine?.codeWritten(address >>> 0, width),
        mmio_read: () => 1,
        mmio_write: () => 1,
      },
    }).exports;
    this.isa = isa as unknown as IsaExports;
    this.deferral = new Deferral(memory, this.env, (env) => this.isa.deliver(env));
    const pages = options.lockstep
      ? new PrivatePages(memory, layout.privatePages + index * PRIVATE_BYTES, engine.regions)
      : undefined;
    const { table = engine.regionTable, entries = engine.regions.length } = pages ?? {};
    this.isa.configure(table, entries, engine.flags, engine.flagsBase);
    // In lockstep interrupts come between steps only: the tiers look for them at different places.
    const linked = {
      ...isa,
      ...(options.lockstep ? { poll: () => {} } : {}),
      ...(this.defersAccesses ? { deliver: () => this.deferral.deliver() } : {}),
    } as unknown as Functions;
    const link = { frontEnd: RISCV, modules: { isa: linked, softfloat: softfloat as unknown as Functions } };
    const outside: EngineHost = {
      mmioRead: (gpa, width) => this.mmioRead(gpa, width),
      mmioWrite: (gpa, width, low, high) => this.mmioWrite(gpa, width, low, high),
      installed: () => this.wakeTimerThread(),
    };
    const arenasEach = options.lockstep ? 2 : 1;
    const makeEngine = (arena: number, from: Omit<EngineOptions, 'env' | 'arena'>): Engine => {
      const start = layout.arenas + (index * arenasEach + arena) * layout.arenaBytes;
      return new Engine(
        {
          ...from,
          env: this.env,
          arena: { start, bytes: layout.arenaBytes },
          ...(pages === undefined ? {} : { lockstep: { pages, deferral: this.deferral } }),
        },
        link,
        outside,
      );
    };
    this.engine = makeEngine(0, engine);
    if (pages !== undefined) {
      const { compiler: _none, ...plain } = engine;
      this.lockstep = new Lockstep(
        memory,
        {
          translator: this.engine,
          interpreter: makeEngine(1, plain),
          pages,
          deferral: this.deferral,
          journal: { at: layout.journals + index * JOURNAL_BYTES, bytes: JOURNAL_BYTES },
        },
        {
          fields: comparedFields(),
          outsideWrites: () => Atomics.load(this.words, (layout.counters >>> 2) + COUNTER_FENCE),
        },
      );
    }
    late.engine = this.engine;
    this.reset();
  }

  // --- life

  reset(): void {
    for (const field of STATE_FIELDS) {
      for (let i = 0; i < field.count; i++)
        this.setField(field.offset + i * field.width, field.width, field.reset);
    }
    // Both register files, and the sink of x0 between them.
    this.big.fill(0n, (this.env + X.offset) >>> 3, (this.env + F.offset + F.count * F.stride) >>> 3);
    this.big[(this.env + ENV.pc) >>> 3] = 0n;
    this.setField(FIELD.mhartid, 8, BigInt(this.index));
    this.setField(FIELD.features, 4, BigInt(this.baseFeatures()));
    this.words[(this.env + ENV.fpFlags) >>> 2] = 0;
    this.words[(this.env + ENV.fpOptions) >>> 2] = this.options.fmaFused ? FP_HOST_FMA : 0;
    this.words[(this.env + ENV.vcpu) >>> 2] = this.index;
    this.words[(this.env + ENV.depth) >>> 2] = 0;
    Atomics.store(this.words, (this.env + CONTROL.softSet) >>> 2, 0);
    this.waiting = false;
    this.deferred = false;
    this.deferral.reset();
    // The comparator is the machine's, not the hart's: it is read again.
    this.comparatorSeen = 0;
    // A flush takes only what was used: an unused TLB holds zeros, which would match address 0.
    this.words[(this.env + ENV.tlbUsed) >>> 2] = -1;
    this.isa.refresh(this.env);
    (this.lockstep ?? this.engine).flushCode();
    this.armTimer();
  }

  enter(privilege: 3 | 1, pcLow: number, pcHigh: number): void {
    this.words[(this.env + ENV.pc) >>> 2] = pcLow | 0;
    this.words[(this.env + ENV.pc + 4) >>> 2] = pcHigh | 0;
    if (privilege !== PRIVILEGE_MACHINE) this.enterSupervisor();
    this.isa.refresh(this.env);
  }

  /** What firmware leaves to its payload: delegation, counters, extensions, open PMP. */
  private enterSupervisor(): void {
    const set = (name: string, value: bigint): void => {
      const field = STATE_FIELDS.find((f) => f.name === name);
      if (field !== undefined) this.setField(field.offset, field.width, value);
    };
    set('privilege', 1n);
    set('medeleg', 0xb3ffn & ~(1n << 9n));
    set('mideleg', 0x222n);
    set('mcounteren', 7n);
    set('scounteren', 7n);
    // STCE, PBMTE, ADUE, CBZE, CBCFE, CBIE
    set('menvcfg', (1n << 63n) | (1n << 62n) | (1n << 61n) | (1n << 7n) | (1n << 6n) | (3n << 4n));
    set('features', BigInt(this.baseFeatures() | FEATURE.sbi));
    const at = (name: string): number => stateOffset(name);
    this.setField(at('pmpcfg'), 1, 0x1fn);
    this.setField(at('pmpaddr'), 8, (1n << 54n) - 1n);
  }

  private baseFeatures(): number {
    return this.options.engine.vcpus > 1 ? FEATURE.smp : 0;
  }

  close(): void {
    this.clock.close();
  }

  // --- registers

  xLow(index: number): number {
    return this.words[(this.env + X.offset + index * 8) >>> 2] as number;
  }
  xHigh(index: number): number {
    return this.words[(this.env + X.offset + index * 8 + 4) >>> 2] as number;
  }
  setX(index: number, low: number, high: number): void {
    if (index === 0) return;
    this.words[(this.env + X.offset + index * 8) >>> 2] = low | 0;
    this.words[(this.env + X.offset + index * 8 + 4) >>> 2] = high | 0;
  }

  private setField(offset: number, width: number, value: bigint): void {
    const at = this.env + offset;
    if (width === 8) this.big[at >>> 3] = BigInt.asUintN(64, value);
    else if (width === 4) this.words[at >>> 2] = Number(value) | 0;
    else new Uint8Array(this.words.buffer)[at] = Number(value);
  }

  /** Loads what {@link save} and {@link load} need. */
  async prepareState(): Promise<void> {
    this.stateCodec ??= await import('./riscv-state.ts');
  }

  private codec(): StateCodec {
    if (this.stateCodec === undefined)
      throw new PolyvisorError('internal', { what: 'prepareState was not awaited' });
    return this.stateCodec;
  }

  private block(): HartBlock {
    return {
      buffer: this.words.buffer,
      env: this.env,
      index: this.index,
      instructionCount: () => this.engine.instructionCount(),
      illegalState: () => this.isa.illegal_state(this.env),
    };
  }

  /** Whole architectural state. Only between two runs, after {@link prepareState}. */
  save(): StateSection {
    const firmwareCalls = ((this.words[(this.env + FIELD.features) >>> 2] as number) & FEATURE.sbi) !== 0;
    const softInterrupts = Atomics.load(this.words, (this.env + CONTROL.softSet) >>> 2);
    return this.codec().saveState(this.block(), { firmwareCalls, waiting: this.waiting }, softInterrupts);
  }

  /**
   * Takes over a saved state; memory must have its contents already, and the machine's clock its time.
   * @throws PolyvisorError `corrupt` or `unsupported`; the vCPU is then as after a reset.
   */
  load(section: StateSection): void {
    const codec = this.codec();
    // Memory was exchanged, too: nothing translated from it holds.
    this.reset();
    try {
      const state = codec.loadState(this.block(), section);
      if (state.firmwareCalls && this.host.environmentCall === undefined) {
        throw new PolyvisorError('corrupt', {
          what: 'saved vCPU has built-in firmware, this machine has none',
        });
      }
      const features = this.baseFeatures() | (state.firmwareCalls ? FEATURE.sbi : 0);
      this.setField(FIELD.features, 4, BigInt(features));
      this.isa.refresh(this.env);
      codec.restoreReservation(this.block(), state);
      this.waiting = state.waiting;
      if (this.options.icount)
        this.idleNs = this.clock.nowNs() - this.engine.instructionCount() * NS_PER_INSTRUCTION;
    } catch (error) {
      this.reset();
      throw error;
    }
    this.armTimer();
  }

  // --- running

  run(): VcpuExit {
    this.startRunning();
    // It sleeps while guest time stands still, and nobody else tells it that it goes on.
    if (!this.options.icount) this.wakeTimerThread();
    try {
      // WFI goes on where a kick ended it.
      return (this.waiting ? this.wait() : undefined) ?? this.loop();
    } finally {
      // Whoever finds this vCPU standing still may rely on its having told what it overwrote.
      this.engine.readCodeLog();
      // Whoever saves the machine saves the time up to here.
      if (this.options.icount) this.updateTicks();
      this.stopRunning();
    }
  }

  /** From here on others wait for this vCPU where they need to; before guest code runs, {@link attend} must. */
  private startRunning(): void {
    Atomics.store(this.words, (this.env + CONTROL.running) >>> 2, 1);
    this.engine.readCodeLog(true);
  }

  private stopRunning(): void {
    Atomics.store(this.words, (this.env + CONTROL.running) >>> 2, 0);
    this.notifyWaiters();
  }

  /** Somebody may wait until this vCPU has read the code log, has done its fences or stands still. */
  private notifyWaiters(): void {
    if (Atomics.load(this.words, this.waiters) === 0) return;
    Atomics.notify(this.words, (this.env + CONTROL.fenceDone) >>> 2);
    Atomics.notify(this.words, (this.env + CONTROL.codeLogTail) >>> 2);
  }

  private get waiters(): number {
    return (this.options.layout.words >>> 2) + VM_WORD.waiters;
  }

  private loop(): VcpuExit {
    const { words, env } = this;
    const exitRequest = (env + ENV.exitRequest) >>> 2;
    for (;;) {
      Atomics.store(words, exitRequest, 0);
      if (this.attend()) return 'kicked';
      this.updateTicks();
      if (this.options.icount) this.serveDueTimers();
      this.isa.poll(env);
      const code = this.step();
      if (code === EXIT.wait || code === EXIT.host) {
        const exit = code === EXIT.wait ? this.wait() : this.serveHost();
        if (exit !== undefined) return exit;
      } else if (code !== EXIT.budget && code !== EXIT.unwind && code !== EXIT.next) {
        throw new PolyvisorError('internal', { what: 'vCPU left translated code', which: `code ${code}` });
      }
    }
  }

  private step(): number {
    if (this.lockstep === undefined) {
      this.engine.setBudget(this.quantum());
      const code = this.engine.run();
      return this.deferred ? this.performDeferred() : code;
    }
    this.frozen = true;
    try {
      this.deferred = false;
      const code = this.lockstep.run(this.quantum());
      return this.deferred ? this.performDeferred() : code;
    } finally {
      this.frozen = false;
    }
  }

  /**
   * icount: tiers look for interrupts at different places, so nothing may change there what is pending. Timers
   * don't: a quantum ends exactly when one is due. Devices do: so their accesses don't happen inside a quantum.
   * The instruction is left as if it had raised a fault (`deliver` takes that back), and executed alone.
   * Lockstep: what a device does in answer to an access would be seen by the step's second run before it.
   */
  private defers(): boolean {
    if (!this.defersAccesses || this.performing) return false;
    this.deferred = true;
    this.deferral.begin();
    return true;
  }

  private performDeferred(): number {
    this.deferred = false;
    this.performing = true;
    try {
      if (this.lockstep !== undefined) return this.lockstep.run(1);
      this.engine.setBudget(1);
      return this.engine.run();
    } finally {
      this.performing = false;
    }
  }

  /** Looks at everything that others want of this vCPU. True: `run` must return. */
  private attend(): boolean {
    const { words, env } = this;
    const soft = Atomics.exchange(words, (env + CONTROL.softSet) >>> 2, 0);
    if (soft !== 0) words[(env + FIELD.mip) >>> 2] = (words[(env + FIELD.mip) >>> 2] as number) | soft;
    const changes = Atomics.load(words, (env + CONTROL.comparatorChanges) >>> 2);
    if (changes !== this.comparatorSeen) {
      this.comparatorSeen = changes;
      words[(env + FIELD.mtimecmp) >>> 2] = words[(env + CONTROL.comparator) >>> 2] as number;
      words[(env + FIELD.mtimecmp + 4) >>> 2] = words[(env + CONTROL.comparator + 4) >>> 2] as number;
      this.armTimer();
    }
    this.engine.safePoint();
    this.serveFences();
    this.notifyWaiters();
    return Atomics.exchange(words, (env + CONTROL.kick) >>> 2, 0) !== 0;
  }

  private quantum(): number {
    if (!this.options.icount) return QUANTUM;
    const dueNs = Math.min(this.nextDueNs(), this.clock.nextDeadlineNs());
    const left = Math.ceil((dueNs - this.clock.nowNs()) / NS_PER_INSTRUCTION);
    return Math.max(1, Math.min(QUANTUM, left));
  }

  private wait(): VcpuExit | undefined {
    const { words, env } = this;
    const wake = (env + ENV.wake) >>> 2;
    this.waiting = true;
    for (;;) {
      const seen = Atomics.load(words, wake);
      Atomics.store(words, (env + ENV.exitRequest) >>> 2, 0);
      if (this.attend()) return 'kicked';
      this.updateTicks();
      if (this.isa.wakeup(env) !== 0) {
        this.waiting = false;
        return undefined;
      }
      if (this.options.icount) {
        this.skipToTimer();
        continue;
      }
      const dueNs = this.nextDueNs();
      const delayMs = dueNs === Infinity ? Infinity : Math.max(0, (dueNs - this.clock.nowNs()) / 1e6);
      if (delayMs === 0) continue;
      // Nobody has to wait for a sleeping vCPU: it looks at everything before it goes on.
      this.stopRunning();
      Atomics.wait(words, wake, seen, delayMs);
      this.startRunning();
    }
  }

  /** icount: nothing runs, so time jumps to the next timer, or waits for the outside. */
  private skipToTimer(): void {
    const dueNs = Math.min(this.nextDueNs(), this.clock.nextDeadlineNs());
    if (dueNs === Infinity) {
      const wake = (this.env + ENV.wake) >>> 2;
      Atomics.wait(this.words, wake, Atomics.load(this.words, wake), 10);
      return;
    }
    this.idleNs += Math.max(0, dueNs - this.clock.nowNs());
    this.updateTicks();
    this.serveDueTimers();
  }

  /** icount: devices' timers run between two instructions, at their time. */
  private serveDueTimers(): void {
    if (this.clock.nextDeadlineNs() <= this.clock.nowNs()) this.host.serviceTimers();
  }

  /** icount: guest time that passed without instructions. */
  private idleNs = 0;

  private serveHost(): VcpuExit | undefined {
    const call = this.host.environmentCall;
    if (call === undefined)
      throw new PolyvisorError('internal', { what: 'environment call without built-in firmware' });
    const answer = call.call(this.host);
    const pc = (this.env + ENV.pc) >>> 3;
    this.big[pc] = (this.big[pc] as bigint) + 4n;
    switch (answer) {
      case ECALL.halt:
        return 'halted';
      case ECALL.shutdown:
        return 'shutdown';
      case ECALL.wait:
        return this.wait();
      default:
        return undefined;
    }
  }

  // --- time

  private updateTicks(): void {
    if (this.frozen) return;
    if (this.options.icount)
      this.clock.publish(this.engine.instructionCount() * NS_PER_INSTRUCTION + this.idleNs);
    const ticks = Math.floor(this.clock.nowNs() / this.options.nsPerTick);
    const at = (this.env + ENV.ticks) >>> 2;
    this.words[at] = ticks | 0;
    this.words[at + 1] = (ticks / 4294967296) | 0;
  }

  /** The guest wrote a comparator. */
  private timerChanged(): void {
    this.armTimer();
    // The quantum may be too long now. The writing instruction leaves translated code anyway.
    if (this.options.icount) Atomics.store(this.words, (this.env + ENV.exitRequest) >>> 2, 1);
  }

  /** Tells the timer thread when this hart's next comparator is due. */
  private armTimer(): void {
    const machine = this.big[(this.env + FIELD.mtimecmp) >>> 3] as bigint;
    const sstc = ((this.big[(this.env + FIELD.menvcfg) >>> 3] as bigint) >> 63n) & 1n;
    const supervisor = sstc === 1n ? (this.big[(this.env + FIELD.stimecmp) >>> 3] as bigint) : NEVER;
    const due = machine < supervisor ? machine : supervisor;
    this.updateTicks();
    const now = this.big[(this.env + ENV.ticks) >>> 3] as bigint;
    // A comparator that has passed already keeps its level; only a later one needs a wake-up.
    let nextTicks = Infinity;
    if (machine > now && machine !== NEVER) nextTicks = Number(machine);
    if (supervisor > now && supervisor !== NEVER) nextTicks = Math.min(nextTicks, Number(supervisor));
    const dueNs = nextTicks * this.options.nsPerTick;
    const at = (this.env + CONTROL.timerDueNs) >>> 3;
    const before = this.doubles[at] as number;
    this.doubles[at] = dueNs;
    // The thread sleeps until the earliest comparator that has not passed; one that has doesn't wake it.
    if (dueNs !== Infinity && (dueNs < before || before <= this.clock.nowNs())) this.wakeTimerThread();
    if (due <= now) Atomics.store(this.words, (this.env + ENV.exitRequest) >>> 2, 1);
  }

  /** Guest time of the next comparator that has not passed yet. */
  private nextDueNs(): number {
    const at = (this.env + CONTROL.timerDueNs) >>> 3;
    if ((this.doubles[at] as number) <= this.clock.nowNs()) this.armTimer();
    return this.doubles[at] as number;
  }

  private wakeTimerThread(): void {
    const wake = (this.options.layout.words >>> 2) + VM_WORD.timerWake;
    Atomics.add(this.words, wake, 1);
    Atomics.notify(this.words, wake);
  }

  setSupervisorTimer(low: number, high: number): void {
    this.words[(this.env + FIELD.stimecmp) >>> 2] = low | 0;
    this.words[(this.env + FIELD.stimecmp + 4) >>> 2] = high | 0;
    this.armTimer();
  }

  // --- devices

  private mmioRead(gpa: number, width: number): number {
    if (this.defers()) return 1;
    if (this.lockstep !== undefined)
      return this.lockstep.access(`read ${gpa} ${width}`, () => this.performRead(gpa, width));
    return this.performRead(gpa, width);
  }

  private performRead(gpa: number, width: number): number {
    if (this.options.icount) this.updateTicks();
    const low = this.host.mmioRead(gpa, width);
    const at = (this.env + ENV.mmioValue) >>> 2;
    this.words[at] = low | 0;
    this.words[at + 1] = width === 8 ? this.host.highBits | 0 : 0;
    return this.host.fault ? 1 : 0;
  }

  private mmioWrite(gpa: number, width: number, low: number, high: number): number {
    if (this.defers()) return 1;
    if (this.lockstep !== undefined) {
      const key = `write ${gpa} ${width} ${low} ${high}`;
      return this.lockstep.access(key, () => this.performWrite(gpa, width, low, high));
    }
    return this.performWrite(gpa, width, low, high);
  }

  private performWrite(gpa: number, width: number, low: number, high: number): number {
    if (this.options.icount) this.updateTicks();
    this.host.mmioWrite(gpa, width, low >>> 0, high >>> 0);
    return this.host.fault ? 1 : 0;
  }

  // --- fences between harts

  remoteFence(mask: number, kind: number, ..._range: number[]): void {
    const { words } = this;
    const { layout, signals } = this.options;
    const wanted: { env: number; sequence: number }[] = [];
    for (let hart = 0; hart < this.options.engine.vcpus; hart++) {
      if ((mask & (1 << hart)) === 0) continue;
      const env = layout.vcpus + hart * ENV.size;
      if (kind === FENCE_CODE) Atomics.store(words, (env + CONTROL.fenceCode) >>> 2, 1);
      const sequence = (Atomics.add(words, (env + CONTROL.fenceWanted) >>> 2, 1) + 1) | 0;
      // A hart that stands still does it before it runs again.
      if (hart === this.index || Atomics.load(words, (env + CONTROL.running) >>> 2) === 0) continue;
      signals.nudge(hart);
      wanted.push({ env, sequence });
    }
    this.serveFences();
    for (const { env, sequence } of wanted) this.awaitOther(env, CONTROL.fenceDone, sequence);
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
        if (counter === CONTROL.fenceDone) this.serveFences();
        Atomics.wait(words, at, seen, 1);
      }
    } finally {
      Atomics.sub(words, waiters, 1);
    }
  }

  /** Fences that others asked of this hart: everything is dropped, whatever the range. */
  private serveFences(): void {
    const { words, env } = this;
    const wanted = Atomics.load(words, (env + CONTROL.fenceWanted) >>> 2);
    const done = (env + CONTROL.fenceDone) >>> 2;
    if (Atomics.load(words, done) === wanted) return;
    if (Atomics.exchange(words, (env + CONTROL.fenceCode) >>> 2, 0) !== 0) this.fenceI();
    this.engine.flushTlb();
    Atomics.store(words, done, wanted);
    this.notifyWaiters();
  }

  /**
   * Stores of others to pages that this hart has translated since they looked at the code log last may have gone
   * unnoticed: they are asked to look (what they had write entries for, they report), then this hart does.
   */
  private fenceI(): void {
    const { words } = this;
    const { layout, signals, engine } = this.options;
    const goal = this.engine.translatedUpTo();
    for (let hart = 0; hart < engine.vcpus; hart++) {
      const env = layout.vcpus + hart * ENV.size;
      const tail = Atomics.load(words, (env + CONTROL.codeLogTail) >>> 2);
      if (hart === this.index || ((tail - goal) | 0) >= 0) continue;
      if (Atomics.load(words, (env + CONTROL.running) >>> 2) === 0) continue;
      signals.nudge(hart);
      this.awaitOther(env, CONTROL.codeLogTail, goal);
    }
    this.engine.readCodeLog();
  }
}
