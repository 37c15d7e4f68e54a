import { PolyvisorError, type StateSection } from '@polyvisor/contracts';
import { Worker } from 'node:worker_threads';
import { REPLY, RING_WORDS } from '../bus/request-ring.ts';
import {
  COMMAND,
  COMMAND_EXIT,
  COMMAND_HOLD,
  COMMAND_PARK,
  COMMAND_RUN,
  CONTROL_WORDS,
  HART_STATE,
  HART_STOPPED,
  PARK_REQUEST,
  ringBell,
  startHart,
} from './control-words.ts';
import type { OpenVcpuMessage, VcpuStateMessage, VcpuThreadData, VcpuThreadMessage } from './messages.ts';

/** The vCPU threads of a machine, seen from its main thread. All vCPUs start parked and stopped. */
export interface VcpuPool {
  readonly control: Int32Array;
  /** Request ring of each vCPU. */
  readonly rings: readonly Int32Array[];
  /** When the first guest instruction ran, in milliseconds since this process started; 0 before. */
  firstRunMs(): number;
  /** Tells every thread what to run on; `kick` then makes a vCPU leave `run`. */
  open(message: OpenVcpuMessage, kick: (index: number) => void): void;
  /** Makes all vCPUs stand still; resolves when they do. They leave `run`, WFI and register accesses first. */
  park(): Promise<void>;
  /** Likewise, but a vCPU in the middle of an access that no device answers counts as standing, and does stand. */
  hold(): Promise<void>;
  /** Lets them go on. */
  unpark(): void;
  /** Only while parked: every hart stopped, then `first` started at a pc. */
  powerOn(harts: readonly number[], pc: number, argument: number): void;
  /** Only while parked: each vCPU's architectural state. */
  save(): Promise<StateSection[]>;
  /**
   * Only while parked: each vCPU takes over a state.
   * @throws PolyvisorError (rejects) `corrupt` or `unsupported`; vCPUs that have done so already keep it.
   */
  load(sections: readonly StateSection[]): Promise<void>;
  /** Ends the threads. Idempotent. */
  close(): Promise<void>;
}

/** What {@link createVcpuPool} needs. */
export interface VcpuPoolOptions {
  readonly count: number;
  /** Stack of a vCPU thread; nested guest calls live on it. */
  readonly stackSizeMb?: number;
  /** URL of a module that threads load while the machine is being built. */
  readonly preload?: string;
  /** A vCPU wrote into its request ring while the server slept. */
  readonly onWake: (index: number) => void;
  /** A vCPU can't go on. */
  readonly onFailure: (error: Error) => void;
}

/** How long a thread may take to end by itself. */
const EXIT_TIMEOUT_MS = 1000;

/** Spawns one worker a vCPU at once, so that they load while the machine is being built. */
export function createVcpuPool(options: VcpuPoolOptions): VcpuPool {
  const { count, onWake, onFailure } = options;
  const control = new Int32Array(new SharedArrayBuffer(count * CONTROL_WORDS * 4));
  const rings = Array.from({ length: count }, () => new Int32Array(new SharedArrayBuffer(RING_WORDS * 4)));
  const exited: Promise<void>[] = [];
  const gone = new Set<number>();
  const waiting = new Map<number, () => void>();
  let kick: ((index: number) => void) | undefined;
  let parkRequest = 0;
  let firstRunMs = 0;
  let parking: Promise<void> | undefined;
  let holding: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  const opened = Array.from({ length: count }, () => Promise.withResolvers<void>());
  const answers = new Map<number, (message: VcpuThreadMessage) => void>();

  const workers = rings.map((ring, index) => {
    control[index * CONTROL_WORDS + HART_STATE] = HART_STOPPED;
    const preload = options.preload === undefined ? {} : { preload: options.preload };
    const data: VcpuThreadData = { index, control, ring, ...preload };
    const worker = new Worker(new URL('./vcpu-thread.ts', import.meta.url), {
      workerData: data,
      name: `vcpu${index}`,
      ...(options.stackSizeMb === undefined ? {} : { resourceLimits: { stackSizeMb: options.stackSizeMb } }),
    });
    worker.on('message', (message: VcpuThreadMessage) => receive(index, message));
    worker.on('error', onFailure);
    exited.push(
      new Promise((resolve) => {
        worker.on('exit', () => {
          gone.add(index);
          waiting.get(index)?.();
          if (closing === undefined)
            onFailure(new PolyvisorError('internal', { what: 'vCPU thread ended', which: `${index}` }));
          resolve();
        });
      }),
    );
    return worker;
  });

  function receive(index: number, message: VcpuThreadMessage): void {
    if (message === null) onWake(index);
    else if (message.kind === 'running') firstRunMs ||= message.atMs - performance.timeOrigin;
    else if (message.kind === 'opened') opened[index]?.resolve();
    else if (message.kind === 'saved' || message.kind === 'loaded' || message.kind === 'refused')
      answers.get(index)?.(message);
    else if (message.kind === 'failed') onFailure(message.error);
    else if (message.kind === 'parked' && message.request === parkRequest) waiting.get(index)?.();
  }

  /** Asks a parked thread for something and waits for its answer. */
  async function ask(index: number, message: VcpuStateMessage): Promise<VcpuThreadMessage> {
    await Promise.race([opened[index]?.promise, exited[index]]);
    if (gone.has(index))
      throw new PolyvisorError('internal', { what: 'vCPU thread ended', which: `${index}` });
    const reply = await new Promise<VcpuThreadMessage>((resolve) => {
      answers.set(index, resolve);
      workers[index]?.postMessage(message);
      ringBell(control, index);
    });
    answers.delete(index);
    if (reply?.kind === 'refused')
      throw new PolyvisorError(reply.code, { what: reply.message, which: `vcpu${index}` });
    return reply;
  }

  function command(value: number): void {
    for (let index = 0; index < count; index++) {
      Atomics.store(control, index * CONTROL_WORDS + PARK_REQUEST, parkRequest);
      Atomics.store(control, index * CONTROL_WORDS + COMMAND, value);
      ringBell(control, index);
      if (value === COMMAND_RUN) continue;
      kick?.(index);
      // It may be waiting for a device that is away.
      if (value === COMMAND_HOLD) Atomics.notify(rings[index] as Int32Array, REPLY);
    }
  }

  function standStill(how: number): Promise<void> {
    parkRequest++;
    const all = workers.map((_, index) => {
      if (gone.has(index)) return Promise.resolve();
      return new Promise<void>((resolve) => {
        const earlier = waiting.get(index);
        waiting.set(index, () => {
          waiting.delete(index);
          earlier?.();
          resolve();
        });
      });
    });
    command(how);
    return Promise.all(all).then(() => undefined);
  }

  return {
    control,
    rings,
    firstRunMs: () => firstRunMs,
    open(message, kickVcpu) {
      kick = kickVcpu;
      for (const worker of workers) worker.postMessage(message);
    },
    park: () => (parking ??= standStill(COMMAND_PARK)),
    hold: () => parking ?? (holding ??= standStill(COMMAND_HOLD)),
    unpark() {
      parking = undefined;
      holding = undefined;
      command(COMMAND_RUN);
    },
    powerOn(harts, pc, argument) {
      for (let index = 0; index < count; index++) control[index * CONTROL_WORDS + HART_STATE] = HART_STOPPED;
      for (const hart of harts) startHart(control, hart, halves(pc), halves(argument));
    },
    save: () =>
      Promise.all(
        workers.map(async (_, index) => {
          const reply = await ask(index, { kind: 'save' });
          if (reply?.kind === 'saved') return reply.section;
          throw new PolyvisorError('internal', {
            what: 'vCPU thread gave a wrong answer',
            which: `${index}`,
          });
        }),
      ),
    async load(sections) {
      for (const [index, section] of sections.entries()) await ask(index, { kind: 'load', section });
    },
    close() {
      closing ??= (async () => {
        command(COMMAND_EXIT);
        // A thread that was never opened doesn't look at its words.
        const grace = kick === undefined ? 0 : EXIT_TIMEOUT_MS;
        const timeout = setTimeout(() => {
          for (const worker of workers) void worker.terminate();
        }, grace);
        await Promise.all(exited);
        clearTimeout(timeout);
      })();
      return closing;
    },
  };
}

function halves(value: number): [number, number] {
  return [value | 0, Math.floor(value / 0x1_0000_0000)];
}
