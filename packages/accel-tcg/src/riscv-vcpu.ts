import type { ClockHandle } from '@polyvisor/clock';
import { COUNTER_FENCE } from '@polyvisor/guest-memory';
import { PolyvisorError, type StateSection, type VcpuExit } from '@polyvisor/contracts';
import { F, RISCV, STATE_FIELDS, stateOffset, X } from '@polyvisor/isa-riscv';
import { OPTION } from '@polyvisor/softfloat/flags';
import { ENV, EXIT } from '@polyvisor/tcg';
import { comparedFields } from './compared-fields.ts';
import { CONTROL } from './control.ts';
import { Deferral } from './deferral.ts';
import { Engine, type EngineHost, type EngineOptions, type Functions } from './engine.ts';
import { HartFences, pageRange } from './hart-fences.ts';
import { HartTime } from './hart-time.ts';
import { Lockstep } from './lockstep.ts';
import { PrivatePages } from './private-pages.ts';
import type * as stateCodec from './riscv-state.ts';
import type { HartBlock } from './riscv-state.ts';
import type { Signals } from './signals.ts';
import { JOURNAL_BYTES, PRIVATE_BYTES, type VmLayout } from './vm-layout.ts';

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
  mip: stateOffset('mip'),
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
  private readonly isa: IsaExports;
  private readonly time: HartTime;
  private readonly fences: HartFences;
  private readonly lockstep: Lockstep | undefined;
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
    const { clock, nsPerTick, icount } = options;
    this.time = new HartTime({
      memory,
      env: this.env,
      layout,
      clock,
      nsPerTick,
      icount,
      instructionCount: () => this.engine.instructionCount(),
    });

    const softfloat = new WebAssembly.Instance(options.softfloat, { env: { memory } }).exports;
    // The helpers call the engine for stores to watched pages: bound once the engine exists.
    const late = { engine: undefined as Engine | undefined };
    const isa = new WebAssembly.Instance(options.isa, {
      env: { memory },
      host: {
        clock: () => this.time.update(),
        timer_changed: () => this.time.comparatorWritten(),
        fence_i: () => this.fences.fenceCode(),
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
      installed: () => this.time.wakeThread(),
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
    const { signals } = options;
    this.fences = new HartFences({ index, vcpus: engine.vcpus, memory, layout, signals }, this.engine);
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
    this.words[(this.env + ENV.fpOptions) >>> 2] = this.options.fmaFused ? OPTION.HOST_FMA_FUSED : 0;
    this.words[(this.env + ENV.vcpu) >>> 2] = this.index;
    this.words[(this.env + ENV.depth) >>> 2] = 0;
    Atomics.store(this.words, (this.env + CONTROL.softSet) >>> 2, 0);
    this.waiting = false;
    this.deferred = false;
    this.deferral.reset();
    this.time.reset();
    // A flush takes only what was used: an unused TLB holds zeros, which would match address 0.
    this.words[(this.env + ENV.tlbUsed) >>> 2] = -1;
    this.isa.refresh(this.env);
    (this.lockstep ?? this.engine).flushCode();
    this.time.arm();
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
    this.time.close();
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
      this.time.adoptClock();
    } catch (error) {
      this.reset();
      throw error;
    }
    this.time.arm();
  }

  // --- running

  run(): VcpuExit {
    this.fences.startRunning();
    // It sleeps while guest time stands still, and nobody else tells it that it goes on.
    if (!this.options.icount) this.time.wakeThread();
    try {
      // WFI goes on where a kick ended it.
      return (this.waiting ? this.wait() : undefined) ?? this.loop();
    } finally {
      // Whoever finds this vCPU standing still may rely on its having told what it overwrote.
      this.engine.readCodeLog();
      // Whoever saves the machine saves the time up to here.
      if (this.options.icount) this.time.update();
      this.fences.stopRunning();
    }
  }

  private loop(): VcpuExit {
    const { words, env } = this;
    const exitRequest = (env + ENV.exitRequest) >>> 2;
    for (;;) {
      Atomics.store(words, exitRequest, 0);
      if (this.attend()) return 'kicked';
      this.time.update();
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
    this.time.frozen = true;
    try {
      this.deferred = false;
      const code = this.lockstep.run(this.quantum());
      return this.deferred ? this.performDeferred() : code;
    } finally {
      this.time.frozen = false;
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
    this.time.readComparator();
    this.engine.safePoint();
    this.fences.serve();
    this.fences.notifyWaiters();
    return Atomics.exchange(words, (env + CONTROL.kick) >>> 2, 0) !== 0;
  }

  private quantum(): number {
    if (!this.options.icount) return QUANTUM;
    return Math.max(1, Math.min(QUANTUM, this.time.instructionsLeft()));
  }

  private wait(): VcpuExit | undefined {
    const { words, env } = this;
    const wake = (env + ENV.wake) >>> 2;
    this.waiting = true;
    for (;;) {
      const seen = Atomics.load(words, wake);
      Atomics.store(words, (env + ENV.exitRequest) >>> 2, 0);
      if (this.attend()) return 'kicked';
      this.time.update();
      if (this.isa.wakeup(env) !== 0) {
        this.waiting = false;
        return undefined;
      }
      if (this.options.icount) {
        this.skipToTimer();
        continue;
      }
      const delayMs = this.time.delayMs();
      if (delayMs === 0) continue;
      // Nobody has to wait for a sleeping vCPU: it looks at everything before it goes on.
      this.fences.stopRunning();
      Atomics.wait(words, wake, seen, delayMs);
      this.fences.startRunning();
    }
  }

  /** icount: nothing runs, so time jumps to the next timer, or waits for the outside. */
  private skipToTimer(): void {
    if (this.time.skip()) return this.serveDueTimers();
    const wake = (this.env + ENV.wake) >>> 2;
    Atomics.wait(this.words, wake, Atomics.load(this.words, wake), 10);
  }

  /** icount: devices' timers run between two instructions, at their time. */
  private serveDueTimers(): void {
    if (this.time.devicesAreDue()) this.host.serviceTimers();
  }

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

  // --- what firmware asks for

  setSupervisorTimer(low: number, high: number): void {
    this.time.setSupervisorTimer(low, high);
  }

  remoteFence(
    mask: number,
    kind: number,
    startLow: number,
    startHigh: number,
    sizeLow: number,
    sizeHigh: number,
    asid: number,
  ): void {
    this.fences.remote(mask, kind, pageRange(startLow, startHigh, sizeLow, sizeHigh), asid);
  }

  // --- devices

  private mmioRead(gpa: number, width: number): number {
    if (this.defers()) return 1;
    if (this.lockstep !== undefined)
      return this.lockstep.access(`read ${gpa} ${width}`, () => this.performRead(gpa, width));
    return this.performRead(gpa, width);
  }

  private performRead(gpa: number, width: number): number {
    if (this.options.icount) this.time.update();
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
    if (this.options.icount) this.time.update();
    this.host.mmioWrite(gpa, width, low >>> 0, high >>> 0);
    return this.host.fault ? 1 : 0;
  }
}
