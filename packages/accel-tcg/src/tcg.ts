import { Worker } from 'node:worker_threads';
import type { ClockHandle } from '@polyvisor/clock';
import { PolyvisorError, type AcceleratedVm, type Accelerator, type VmConfig } from '@polyvisor/contracts';
import { COUNTER_WORDS, type GuestMemoryLayout } from '@polyvisor/guest-memory';
import { probeHostFmaFused } from '@polyvisor/softfloat';
import { ENV } from '@polyvisor/tcg';
import { openCodeLog } from './code-log.ts';
import type { CompileWorkerData } from './compile-worker.ts';
import { CONTROL } from './control.ts';
import { compileModules, type RiscvModules } from './modules.ts';
import { pageOfHost, writeRegionTable, type PhysicalRegion } from './physical-memory.ts';
import { openSignals, type Signals } from './signals.ts';
import { lowerV8Priority } from './thread-priority.ts';
import type { TimerWorkerData } from './timer-worker.ts';
import { layOutVm, VM_WORD, type VmLayout } from './vm-layout.ts';

/** Which tiers run guest code; `lockstep` runs both and stops at the first difference. */
export type Tier = 'auto' | 'interpreter' | 'translator' | 'lockstep';

export interface TcgOptions {
  /** Default `auto`. */
  readonly tier?: Tier;
  /** Deterministic: guest time is the instruction count. Default false. */
  readonly icount?: boolean;
}

/** What the accelerator takes beyond contracts' `VmConfig`. */
export interface TcgVmConfig extends VmConfig {
  readonly clock: ClockHandle;
  readonly nsPerTick: number;
  readonly onMemory?: (layout: GuestMemoryLayout) => void;
}

/** Everything that a vCPU thread needs; structured-cloneable. */
export interface TcgHandle {
  readonly memory: WebAssembly.Memory;
  readonly layout: VmLayout;
  readonly regions: readonly PhysicalRegion[];
  readonly vcpus: number;
  readonly clock: ClockHandle;
  readonly nsPerTick: number;
  readonly tier: Tier;
  readonly icount: boolean;
  readonly fmaFused: boolean;
  /** Names of the channels to the compile worker, one for each vCPU; none without one. */
  readonly channels: readonly string[];
  readonly modules: RiscvModules;
}

/** A VM run by translation, on the main thread. */
export interface TcgVm extends AcceleratedVm {
  readonly handle: TcgHandle;
  readonly memory: GuestMemoryLayout;
  readonly signals: Signals;
  readonly isa: {
    readonly xlen: 64;
    readonly extensions: readonly string[];
    readonly mmuType: string;
    readonly cbomBlockSize: number;
    readonly cbozBlockSize: number;
  };
  codeWritten(offset: number, length: number): void;
  stats(): Readonly<Record<string, number>>;
}

/** Extensions in the ISA manual's order of naming. */
const EXTENSIONS = [
  'i', 'm', 'a', 'f', 'd', 'c',
  'zicbom', 'zicboz', 'zicntr', 'zicsr', 'zifencei', 'zihintpause', 'zfh', 'zfhmin',
  'zba', 'zbb', 'zbc', 'zbkb', 'zbkc', 'zbkx', 'zbs', 'sstc', 'svadu', 'svinval', 'svnapot', 'svpbmt',
] as const; // prettier-ignore

const COMPILES = { auto: 'hot', interpreter: 'never', translator: 'eager', lockstep: 'eager' } as const;

/** The compile worker and the timer thread start this much after the VM was made. */
const WORKERS_DELAY_MS = 60;

let nextVm = 0;

/** With one vCPU, translations know where its block is. */
export const onlyEnv = (vcpus: number, layout: VmLayout): { env?: number } =>
  vcpus === 1 ? { env: layout.vcpus } : {};

const VCPU_MODULE = new URL('./vcpu-module.ts', import.meta.url).href;

/** TCG as an accelerator; vCPU threads may load its module before there is a VM. */
export interface TcgAccelerator extends Accelerator {
  readonly vcpuModule: string;
  createVm(config: TcgVmConfig): Promise<TcgVm>;
}

/** The accelerator that translates guest code. */
export function createTcg(options: TcgOptions = {}): TcgAccelerator {
  return {
    name: 'tcg',
    vcpuModule: VCPU_MODULE,
    createVm: (config) => createVm(config as TcgVmConfig, options),
  };
}

async function createVm(config: TcgVmConfig, { tier = 'auto', icount = false }: TcgOptions): Promise<TcgVm> {
  const guestBytes = config.regions.reduce((sum, region) => sum + region.size, 0);
  const layout = layOutVm(config.vcpus, guestBytes, tier === 'lockstep');
  const memory = new WebAssembly.Memory({
    initial: layout.wasmPages,
    maximum: layout.wasmPages,
    shared: true,
  });
  let host = layout.ram;
  const regions: PhysicalRegion[] = config.regions.map((region) => {
    const placed = { gpa: region.gpa, size: region.size, host, readOnly: region.readOnly };
    host += region.size;
    return placed;
  });
  const flagsFirstPage = layout.ram / 4096;
  const guestMemory: GuestMemoryLayout = {
    buffer: memory.buffer as unknown as SharedArrayBuffer,
    regions: regions.map((r) => ({ gpa: r.gpa, size: r.size, offset: r.host, readOnly: r.readOnly })),
    flags: new Uint8Array(memory.buffer, layout.flags, layout.flagsBytes),
    flagsFirstPage,
    counters: new Int32Array(memory.buffer, layout.counters, COUNTER_WORDS),
  };
  config.onMemory?.(guestMemory);

  const words = new Int32Array(memory.buffer);
  const doubles = new Float64Array(memory.buffer);
  writeRegionTable(memory, layout.regionTable, regions);
  for (let i = 0; i < config.vcpus; i++) {
    doubles[(layout.vcpus + i * ENV.size + CONTROL.timerDueNs) >>> 3] = Infinity;
  }

  const id = `polyvisor-tcg-${process.pid}-${nextVm++}`;
  const remote = tier === 'auto';
  const channels = remote ? Array.from({ length: config.vcpus }, (_, i) => `${id}-${i}`) : [];
  const handle: TcgHandle = {
    memory,
    layout,
    regions,
    vcpus: config.vcpus,
    clock: config.clock,
    nsPerTick: config.nsPerTick,
    tier,
    icount,
    fmaFused: probeHostFmaFused(),
    channels,
    modules: await compileModules({ exact: icount || tier === 'lockstep', compiles: COMPILES[tier] }),
  };

  const workers: Worker[] = [];
  const report = (what: string, fatal: boolean, cause: unknown): void =>
    config.onProblem?.({
      error: new PolyvisorError('internal', { what, which: String(cause), cause }),
      fatal,
    });
  const start = (url: URL, workerData: CompileWorkerData | TimerWorkerData): Worker => {
    const worker = new Worker(url, { workerData });
    worker.unref();
    workers.push(worker);
    return worker;
  };
  const startCompiler = (workerData: CompileWorkerData): void => {
    const worker = start(new URL('./compile-worker.ts', import.meta.url), workerData);
    // Without it the guest goes on, interpreted.
    worker.on('error', (error) => report('the compile thread died', false, error));
    worker.on('message', (error: string) => report("can't compile a region", false, error));
  };
  const startTimer = (workerData: TimerWorkerData): void => {
    const worker = start(new URL('./timer-worker.ts', import.meta.url), workerData);
    worker.on('error', (error) => report('the timer thread died', true, error));
  };
  // The guest's first instructions need neither of them: they don't compete with what does.
  const later = setTimeout(() => {
    if (remote) lowerV8Priority();
    const options = { counting: icount, ...onlyEnv(config.vcpus, layout) };
    const ready = (layout.words >>> 2) + VM_WORD.compilerReady;
    if (remote) startCompiler({ memory, regions, channels, ready, options });
    if (!icount) startTimer({ memory, layout, vcpus: config.vcpus, clock: config.clock });
  }, WORKERS_DELAY_MS);
  later.unref();

  const signals = openSignals(words, layout);
  const codeLog = openCodeLog(words, layout.codeLog);

  return {
    handle,
    vcpuModule: VCPU_MODULE,
    memory: guestMemory,
    signals,
    isa: { xlen: 64, extensions: EXTENSIONS, mmuType: 'riscv,sv57', cbomBlockSize: 64, cbozBlockSize: 64 },
    kick: (index) => signals.kick(index),
    codeWritten(offset, length) {
      const flags = new Uint8Array(memory.buffer, layout.flags, layout.flagsBytes);
      const last = Math.floor((offset + length - 1) / 4096);
      for (let page = Math.floor(offset / 4096); page <= last; page++) {
        const guestPage = pageOfHost(regions, page * 4096);
        if (guestPage < 0) continue;
        // Cleared before the log tells of it: whoever translates the page afterwards sets it anew.
        Atomics.and(flags, page - flagsFirstPage, ~3);
        codeLog.append(guestPage, 'overwritten');
      }
      for (let i = 0; i < config.vcpus; i++) signals.nudge(i);
    },
    stats() {
      const total: Record<string, number> = { instructions: 0 };
      const big = new BigUint64Array(memory.buffer);
      for (let i = 0; i < config.vcpus; i++) {
        const env = layout.vcpus + i * ENV.size;
        const add = (name: string, value: number): void => void (total[name] = (total[name] ?? 0) + value);
        add(
          'instructions',
          Number(big[(env + ENV.icount) >>> 3]) - (words[(env + ENV.budget) >>> 2] as number),
        );
        add('tlbMisses', (words[(env + ENV.statTlbMiss) >>> 2] as number) >>> 0);
        add('fetchMisses', (words[(env + ENV.statFetchMiss) >>> 2] as number) >>> 0);
        add('slowAccesses', (words[(env + ENV.statSlowAccess) >>> 2] as number) >>> 0);
        add('regions', (words[(env + CONTROL.regions) >>> 2] as number) >>> 0);
      }
      return total;
    },
    async close() {
      clearTimeout(later);
      Atomics.store(words, (layout.words >>> 2) + VM_WORD.timerStop, 1);
      Atomics.add(words, (layout.words >>> 2) + VM_WORD.timerWake, 1);
      Atomics.notify(words, (layout.words >>> 2) + VM_WORD.timerWake);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
