import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Logger } from '@polyvisor/contracts';
import type { MachineEnd } from '@polyvisor/machine';
import type { VmInput, VmSpec, VmState } from '@polyvisor/proto/service/node';
import type { LogLevel } from '../process/process-setup.ts';
import type { NodeStore, VmRecord } from '../state/node-store.ts';
import { openRotatingFile } from '../state/rotating-file.ts';
import { createRestartPacer } from '../vm/restart-pacer.ts';
import type { SplitVm, VmEvent } from '../vm/split-vm.ts';
import { createSplitVm } from '../vm/split-vm.ts';
import type { SplitMode, VmPlan } from '../vm/vm-plan.ts';
import type { ConsoleStore } from './console-store.ts';
import { createConsoleStore } from './console-store.ts';
import type { LogStore } from './log-store.ts';
import { createLogStore } from './log-store.ts';
import type { MachineReader } from './machine-reader.ts';
import { beganAt } from '../vm/process-table.ts';

/** What all VMs of a node share. */
export interface VmSurroundings {
  readonly store: NodeStore;
  readonly reader: MachineReader;
  /** Where each VM has a folder for logs and consoles. */
  readonly folder: string;
  readonly command: readonly string[];
  readonly confine: boolean;
  readonly logLevel: LogLevel;
  readonly logger: Logger;
  tell(vm: string, kind: string, message: string): void;
}

const LOG_LIMIT = 4 << 20;
const CONSOLE_LIMIT = 4 << 20;

/** States in which a VM has processes. */
const LIVE: ReadonlySet<VmState> = new Set(['starting', 'running', 'paused', 'stalled', 'stopping']);

/** A VM of a node: what is remembered of it, and its processes while it runs. */
export class NodeVm {
  readonly log: LogStore;
  readonly #around: VmSurroundings;
  readonly #folder: string;
  readonly #consoles = new Map<string, ConsoleStore>();
  readonly #pacer = createRestartPacer();
  #record: VmRecord;
  #vm: SplitVm | undefined;
  /** Starting and stopping, one after another. */
  #work: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> = Promise.resolve();
  #restartTimer: NodeJS.Timeout | undefined;
  #deleted = false;

  constructor(record: VmRecord, around: VmSurroundings) {
    this.#record = record;
    this.#around = around;
    this.#folder = join(around.folder, record.id);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.log = createLogStore(openRotatingFile(join(this.#folder, 'log.jsonl'), LOG_LIMIT), 2 * LOG_LIMIT);
  }

  get record(): VmRecord {
    return this.#record;
  }

  get spec(): VmSpec {
    return JSON.parse(this.#record.spec, (key, value: unknown) =>
      key === 'labels' ? new Map(Object.entries(value as object)) : value,
    ) as VmSpec;
  }

  get live(): boolean {
    return LIVE.has(this.#record.state);
  }

  get processes(): SplitVm['processes'] {
    return this.#vm?.processes ?? [];
  }

  describe(): VmInput {
    const { id, state, reason, createdMs, startedMs, cpus, memoryBytes, restarts, exitStatus } = this.#record;
    return {
      id,
      spec: this.spec,
      state,
      reason,
      createdMs,
      startedMs,
      cpus,
      memoryBytes,
      restarts,
      processes: this.processes.map(({ role, pid, epoch, restarts: count, confinement }) => ({
        role: role === 'cpu' ? 'vmm' : role,
        pid,
        epoch,
        restarts: count,
        confinement,
      })),
      ...(exitStatus === undefined ? {} : { exitStatus }),
    };
  }

  #update(changes: Partial<VmRecord>): void {
    if (this.#deleted) return;
    this.#record = { ...this.#record, ...changes };
    this.#around.store.updateVm(this.#record);
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }

  /** @throws PolyvisorError (rejects) what starting failed with; the VM is then failed. */
  start(): Promise<void> {
    return this.#enqueue(() => this.#start());
  }

  async #start(): Promise<void> {
    clearTimeout(this.#restartTimer);
    // Waits for what is left of the run before.
    await this.#ended;
    const { id } = this.#record;
    const { reader, command, confine, logLevel, logger, tell } = this.#around;
    this.#update({ state: 'starting', reason: '', wanted: true, exitStatus: undefined });
    try {
      const { machineYaml, name, split } = this.spec;
      const plan: VmPlan = { ...(await reader.resolve(machineYaml)), name };
      const vm = await createSplitVm({
        vm: id,
        plan,
        command,
        confine,
        logLevel,
        logger,
        consoles: [
          ...plan.consolePorts.map((_, port) => ({
            device: 'console0',
            port,
            backend: this.console('console0', port),
          })),
          { device: 'serial0', port: 0, backend: this.console('serial0', 0) },
        ],
        onLog: (_role, line) => this.log.append(line),
        onEvent: (event) => this.#happened(event),
        ...(split === '' ? {} : { mode: split as SplitMode }),
      });
      this.#vm = vm;
      this.#remember(vm);
      this.#ended = vm.ended.then((end) => this.#over(vm, end));
      await vm.run();
      this.#update({ state: 'running', startedMs: Date.now() });
      tell(id, 'started', `${vm.mode} split, ${vm.processes.length} processes`);
    } catch (error) {
      const vm = this.#vm;
      this.#vm = undefined;
      await vm?.close();
      const reason = error instanceof Error ? error.message : String(error);
      this.#update({ state: 'failed', reason, wanted: false });
      tell(id, 'failed', reason);
      throw error;
    }
  }

  /** Processes that a node which is started again has to look for. */
  #remember(vm: SplitVm): void {
    for (const { pid, role, metrics } of vm.processes) {
      const began = beganAt(pid);
      if (began === undefined) continue;
      this.#around.store.addProcess({ pid, began, vm: this.#record.id, role, folder: join(metrics, '..') });
    }
  }

  #happened({ kind, message, state }: VmEvent): void {
    if (kind === 'state') {
      const mapped: Partial<Record<string, VmState>> = {
        running: 'running',
        paused: 'paused',
        stalled: 'stalled',
      };
      const next = mapped[state ?? ''];
      // A stop that is under way shows as such until it is done.
      if (next === undefined || this.#record.state === 'stopping' || this.#record.state === next) return;
      if (this.#record.state !== 'starting') this.#around.tell(this.#record.id, next, message);
      this.#update({ state: next, reason: message });
      return;
    }
    if (this.#vm !== undefined) this.#remember(this.#vm);
    if (kind !== 'process-started') this.#around.tell(this.#record.id, kind, message);
  }

  async #over(vm: SplitVm, end: MachineEnd): Promise<void> {
    const { store, tell } = this.#around;
    const { id, state } = this.#record;
    await vm.close();
    if (this.#vm !== vm) return;
    this.#vm = undefined;
    store.removeProcesses(id);
    const asked = state === 'stopping' || end.kind === 'stopped';
    const failed = end.kind === 'failure';
    const reason = end.kind === 'failure' ? end.error.message : asked ? 'stopped' : end.kind;
    const status = end.kind === 'power-off' ? end.status : failed ? 1 : undefined;
    this.#update({ state: failed && !asked ? 'failed' : 'stopped', reason, exitStatus: status });
    tell(id, 'ended', reason);
    if (asked || !this.#record.wanted) return;
    const { restart } = this.spec;
    const bad = failed || (end.kind === 'power-off' && end.status !== 0);
    if (restart === 'always' || (restart === 'on-failure' && bad)) this.#startAgain();
    else this.#update({ wanted: false });
  }

  /** With growing pauses. */
  #startAgain(): void {
    this.#restartTimer = setTimeout(
      () => {
        this.#update({ restarts: this.#record.restarts + 1 });
        this.#around.tell(this.#record.id, 'restarting', `for the ${this.#record.restarts}. time`);
        this.start().catch(() => {
          // It may be for a while only.
          if (this.#deleted) return;
          this.#update({ wanted: true });
          this.#startAgain();
        });
      },
      Math.max(500, this.#pacer.nextMs),
    );
    void this.#pacer.pause();
  }

  /** Starts it where a node that is gone has left it, if its policy says so. */
  recover(): void {
    const { state, wanted } = this.#record;
    if (!this.live && !wanted) return;
    const { restart } = this.spec;
    if (this.live) {
      this.#around.tell(this.#record.id, 'lost', `the node ended while the VM was ${state}`);
      this.#update({ state: 'failed', reason: 'the node ended', exitStatus: 1 });
    }
    if (wanted && (restart === 'always' || restart === 'on-failure')) this.#startAgain();
    else this.#update({ wanted: false });
  }

  stop(): Promise<void> {
    clearTimeout(this.#restartTimer);
    if (this.#record.wanted) this.#update({ wanted: false });
    return this.#enqueue(async () => {
      clearTimeout(this.#restartTimer);
      const vm = this.#vm;
      if (vm === undefined) return;
      this.#update({ state: 'stopping', wanted: false });
      await vm.stop();
      await this.#ended;
    });
  }

  async pause(): Promise<void> {
    await this.#running('pause').pause();
    this.#update({ state: 'paused' });
  }

  async resume(): Promise<void> {
    await this.#running('resume').run();
    this.#update({ state: 'running' });
  }

  async reset(): Promise<void> {
    await this.#running('reset').reset();
    this.#around.tell(this.#record.id, 'reset', 'asked to');
  }

  #running(what: string): SplitVm {
    if (this.#vm !== undefined) return this.#vm;
    throw new PolyvisorError('precondition', {
      what: `can't ${what} a VM that does not run`,
      which: this.#record.name,
      hint: `start it with: polyvisor start ${this.#record.name}`,
    });
  }

  /** Figures of its vmm; none while it can't answer. */
  async figures(): Promise<Readonly<Record<string, number>>> {
    await this.#vm?.inspect().catch(() => {});
    return this.#vm?.figures ?? {};
  }

  /** The terminal of a device's port; made when it is first asked for. @throws PolyvisorError `not-found`. */
  console(device: string, port: number): ConsoleStore {
    if (!/^(serial0|console0)$/.test(device) || port > 31) {
      throw new PolyvisorError('not-found', {
        what: 'no such console',
        which: `${device}, port ${port}`,
        limit: 'serial0, console0',
      });
    }
    const key = `${device}-${port}`;
    let found = this.#consoles.get(key);
    if (found === undefined) {
      found = createConsoleStore(openRotatingFile(join(this.#folder, `${key}.console`), CONSOLE_LIMIT));
      this.#consoles.set(key, found);
    }
    return found;
  }

  resizeConsole(columns: number, rows: number): void {
    this.#vm?.resizeConsole(columns, rows);
  }

  /** Removes what is kept of it; it doesn't run any more. */
  forget(): void {
    this.#deleted = true;
    this.#closeFiles();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Ends its processes; it is still wanted, for the next node. */
  async leave(): Promise<void> {
    clearTimeout(this.#restartTimer);
    await this.#enqueue(async () => {
      const vm = this.#vm;
      if (vm === undefined) return;
      this.#vm = undefined;
      await vm.stop();
      await vm.close();
      this.#around.store.removeProcesses(this.#record.id);
      this.#update({ state: 'stopped', reason: 'the node ended' });
    });
    this.#closeFiles();
  }

  #closeFiles(): void {
    for (const console of this.#consoles.values()) console.close();
    this.log.close();
  }
}
