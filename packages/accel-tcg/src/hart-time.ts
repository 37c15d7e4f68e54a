import { createSharedClock, type ClockHandle, type SharedClock } from '@polyvisor/clock';
import { stateOffset } from '@polyvisor/isa-riscv';
import { ENV } from '@polyvisor/tcg';
import { CONTROL } from './control.ts';
import { VM_WORD, type VmLayout } from './vm-layout.ts';

export interface HartTimeOptions {
  readonly memory: WebAssembly.Memory;
  readonly env: number;
  readonly layout: VmLayout;
  readonly clock: ClockHandle;
  readonly nsPerTick: number;
  /** Deterministic: the clock is the instruction count. */
  readonly icount: boolean;
  readonly instructionCount: () => number;
}

/** icount: nanoseconds of guest time for an instruction (QEMU's `shift=1`). */
const NS_PER_INSTRUCTION = 2;
const NEVER = 0xffff_ffff_ffff_ffffn;

const FIELD = {
  mtimecmp: stateOffset('mtimecmp'),
  stimecmp: stateOffset('stimecmp'),
  menvcfg: stateOffset('menvcfg'),
} as const;

/** Time as a RISC-V hart has it: its `time` register, its two comparators, and what the timer thread is told of them. */
export class HartTime {
  /** During a lockstep step time stands still: both tiers must see the same. */
  frozen = false;
  private readonly options: HartTimeOptions;
  private readonly env: number;
  private readonly words: Int32Array;
  private readonly big: BigUint64Array;
  private readonly doubles: Float64Array;
  private readonly clock: SharedClock;
  private comparatorSeen = 0;
  /** icount: guest time that passed without instructions. */
  private idleNs = 0;

  constructor(options: HartTimeOptions) {
    this.options = options;
    this.env = options.env;
    this.words = new Int32Array(options.memory.buffer);
    this.big = new BigUint64Array(options.memory.buffer);
    this.doubles = new Float64Array(options.memory.buffer);
    this.clock = createSharedClock(options.clock);
  }

  reset(): void {
    // The comparator is the machine's, not the hart's: it is read again.
    this.comparatorSeen = 0;
  }

  close(): void {
    this.clock.close();
  }

  /** Brings the `time` register up to date; icount: and the machine's clock. */
  update(): void {
    if (this.frozen) return;
    if (this.options.icount)
      this.clock.publish(this.options.instructionCount() * NS_PER_INSTRUCTION + this.idleNs);
    const ticks = Math.floor(this.clock.nowNs() / this.options.nsPerTick);
    const at = (this.env + ENV.ticks) >>> 2;
    this.words[at] = ticks | 0;
    this.words[at + 1] = (ticks / 4294967296) | 0;
  }

  /** icount: the machine's clock was set to another time, and the instruction count with it. */
  adoptClock(): void {
    if (!this.options.icount) return;
    this.idleNs = this.clock.nowNs() - this.options.instructionCount() * NS_PER_INSTRUCTION;
  }

  /** The guest wrote a comparator. */
  comparatorWritten(): void {
    this.arm();
    // The quantum may be too long now. The writing instruction leaves translated code anyway.
    if (this.options.icount) Atomics.store(this.words, (this.env + ENV.exitRequest) >>> 2, 1);
  }

  /** Takes over what another thread wrote to the comparator that lies outside the hart (ACLINT). */
  readComparator(): void {
    const { words, env } = this;
    const changes = Atomics.load(words, (env + CONTROL.comparatorChanges) >>> 2);
    if (changes === this.comparatorSeen) return;
    this.comparatorSeen = changes;
    words[(env + FIELD.mtimecmp) >>> 2] = words[(env + CONTROL.comparator) >>> 2] as number;
    words[(env + FIELD.mtimecmp + 4) >>> 2] = words[(env + CONTROL.comparator + 4) >>> 2] as number;
    this.arm();
  }

  setSupervisorTimer(low: number, high: number): void {
    this.words[(this.env + FIELD.stimecmp) >>> 2] = low | 0;
    this.words[(this.env + FIELD.stimecmp + 4) >>> 2] = high | 0;
    this.arm();
  }

  /** Tells the timer thread when this hart's next comparator is due. */
  arm(): void {
    const machine = this.big[(this.env + FIELD.mtimecmp) >>> 3] as bigint;
    const sstc = ((this.big[(this.env + FIELD.menvcfg) >>> 3] as bigint) >> 63n) & 1n;
    const supervisor = sstc === 1n ? (this.big[(this.env + FIELD.stimecmp) >>> 3] as bigint) : NEVER;
    const due = machine < supervisor ? machine : supervisor;
    this.update();
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
    if (dueNs !== Infinity && (dueNs < before || before <= this.clock.nowNs())) this.wakeThread();
    if (due <= now) Atomics.store(this.words, (this.env + ENV.exitRequest) >>> 2, 1);
  }

  /** Makes the timer thread look anew. */
  wakeThread(): void {
    const wake = (this.options.layout.words >>> 2) + VM_WORD.timerWake;
    Atomics.add(this.words, wake, 1);
    Atomics.notify(this.words, wake);
  }

  /** Guest time of the next comparator that has not passed yet. */
  private nextDueNs(): number {
    const at = (this.env + CONTROL.timerDueNs) >>> 3;
    if ((this.doubles[at] as number) <= this.clock.nowNs()) this.arm();
    return this.doubles[at] as number;
  }

  /** Milliseconds until the next comparator is due; Infinity for never. */
  delayMs(): number {
    const dueNs = this.nextDueNs();
    return dueNs === Infinity ? Infinity : Math.max(0, (dueNs - this.clock.nowNs()) / 1e6);
  }

  /** icount: nanoseconds until the next comparator or timer of a device is due; Infinity for never. */
  private untilDueNs(): number {
    return Math.min(this.nextDueNs(), this.clock.nextDeadlineNs()) - this.clock.nowNs();
  }

  /** icount: instructions until something is due. */
  instructionsLeft(): number {
    return Math.ceil(this.untilDueNs() / NS_PER_INSTRUCTION);
  }

  /** icount: nothing runs, so time jumps to what is due next. False: nothing is. */
  skip(): boolean {
    const untilNs = this.untilDueNs();
    if (untilNs === Infinity) return false;
    this.idleNs += Math.max(0, untilNs);
    this.update();
    return true;
  }

  /** icount: whether timers of devices are due. */
  devicesAreDue(): boolean {
    return this.clock.nextDeadlineNs() <= this.clock.nowNs();
  }
}
