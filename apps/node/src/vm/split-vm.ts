import { generateKeyPairSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { CharBackend, Logger } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { MachineEnd } from '@polyvisor/machine';
import { blockService } from '@polyvisor/proto/service/block';
import { vmmService } from '@polyvisor/proto/service/cpu';
import type { InspectResponse, MachineState, WatchResponse } from '@polyvisor/proto/service/cpu';
import { deviceService } from '@polyvisor/proto/service/device';
import { health as healthService } from '@polyvisor/proto/service/health';
import type { Connection } from '@polyvisor/rpc/channel';
import { connect, messagesOf } from '@polyvisor/rpc/channel';
import { probeOverlay } from '@polyvisor/shared-memory';
import type { LogLevel, ProcessRole } from '../process/process-setup.ts';
import { processRoles } from '../process/process-setup.ts';
import type { ConsoleBridge } from './console-bridge.ts';
import { backingFilesOf } from './backing-files.ts';
import { bridgeConsole } from './console-bridge.ts';
import { createRestartPacer } from './restart-pacer.ts';
import type { SharedParts } from './shared-parts.ts';
import { createSharedParts } from './shared-parts.ts';
import type { ProcessEnd, SupervisedProcess } from './supervised-process.ts';
import { startProcess } from './supervised-process.ts';
import type { VmFolder } from './vm-folder.ts';
import { createVmFolder } from './vm-folder.ts';
import type { VmIdentity } from './vm-identity.ts';
import { createVmIdentity } from './vm-identity.ts';
import type { GrantedVolume, SplitMode, VmPlan } from './vm-plan.ts';
import { deviceSpecs, vmmRequest } from './vm-plan.ts';
import type { UserPreparation } from './vm-user.ts';
import { prepareUser } from './vm-user.ts';
import type { VmPolicies } from './vm-policies.ts';
import { createVmPolicies } from './vm-policies.ts';

/** What happened to a VM. */
export interface VmEvent {
  /** `process-started`, `process-died`, `process-hangs`, `process-restarted`, `state`. */
  readonly kind: string;
  readonly message: string;
  readonly state?: MachineState;
}

/** A process of a VM, as it is now. */
export interface VmProcessInfo {
  readonly role: ProcessRole;
  readonly pid: number;
  readonly epoch: number;
  readonly restarts: number;
  readonly confinement: readonly string[];
  /** Unix socket of its figures. */
  readonly metrics: string;
}

export interface SplitVmOptions {
  /** Letters, digits, dots, dashes, underscores. */
  readonly vm: string;
  readonly plan: VmPlan;
  /** Undefined: `shared` where the host can, else `stream`. */
  readonly mode?: SplitMode;
  /** Node, its options, and the script with a `serve` command. */
  readonly command: readonly string[];
  /** Terminals by device and port: what the guest prints there, and what is typed. */
  readonly consoles: readonly { device: string; port: number; backend: CharBackend }[];
  /** False: processes aren't confined, for tests and debuggers. */
  readonly confine: boolean;
  /** Whether the processes get a user of their own, where that is possible. Default: as `confine`. */
  readonly ownUser?: boolean;
  readonly logLevel: LogLevel;
  /** About the supervisor's own doings. */
  readonly logger: Logger;
  /** Lines that the processes log. */
  readonly onLog: (role: ProcessRole, line: string) => void;
  readonly onEvent?: (event: VmEvent) => void;
}

/** A VM that consists of processes, supervised. */
export interface SplitVm {
  readonly mode: SplitMode;
  /** Lets the guest run, or go on after a pause. */
  run(): Promise<void>;
  pause(): Promise<void>;
  reset(): Promise<void>;
  /** Pulls the plug. */
  stop(): Promise<void>;
  resizeConsole(columns: number, rows: number): void;
  readonly state: MachineState;
  readonly processes: readonly VmProcessInfo[];
  /** @throws PolyvisorError (rejects) `unavailable` while the vmm can't answer. */
  inspect(): Promise<InspectResponse>;
  /** Figures as they last were. */
  readonly figures: Readonly<Record<string, number>>;
  /** Resolves when the guest has ended, by whatever; all that it printed has come by then. */
  readonly ended: Promise<MachineEnd>;
  /** Ends all processes and waits for them. Idempotent. */
  close(): Promise<void>;
}

/** Time between questions whether a process is well, and how long an answer may take before it counts as hanging. */
const HEALTH_MS = 5_000;
const HANG_MS = 30_000;
/** Time between attempts to attach devices again. */
const HEAL_MS = 500;
const START_MS = 30_000;
const GRACE_MS = 2_000;
const STOP_MS = 5_000;
const DRAIN_MS = 2_000;

/**
 * Starts the processes of a VM and attaches its devices; the guest doesn't run yet.
 * @throws PolyvisorError (rejects) what the processes say; nothing is left then.
 */
export async function createSplitVm(options: SplitVmOptions): Promise<SplitVm> {
  const mode = options.mode ?? (await chooseMode(options.logger));
  const vm = new Vm(options, mode);
  try {
    await vm.open();
    return vm;
  } catch (error) {
    await vm.close();
    throw error;
  }
}

async function chooseMode(logger: Logger): Promise<SplitMode> {
  const probe = await probeOverlay();
  if (probe.works) return 'shared';
  logger.warn({ reason: probe.reason }, 'memory can not be shared between processes here: devices by stream');
  return 'stream';
}

/** A process in its place: what is there changes, the place stays. */
interface Seat {
  readonly role: ProcessRole;
  process: SupervisedProcess | undefined;
  connection: Connection<typeof healthService> | undefined;
  epoch: number;
  restarts: number;
  readonly pacer: ReturnType<typeof createRestartPacer>;
}

class Vm implements SplitVm {
  readonly mode: SplitMode;
  readonly ended: Promise<MachineEnd>;
  state: MachineState = 'empty';
  figures: Readonly<Record<string, number>> = {};
  readonly #options: SplitVmOptions;
  readonly #identity: VmIdentity;
  readonly #folder: VmFolder;
  readonly #user: UserPreparation | undefined;
  readonly #plan: VmPlan;
  #policies: VmPolicies | undefined;
  readonly #bridges: readonly ConsoleBridge[];
  readonly #seats: ReadonlyMap<ProcessRole, Seat>;
  readonly #capabilityKey = generateKeyPairSync('ed25519')
    .privateKey.export({ format: 'der', type: 'pkcs8' })
    .toString('base64');
  readonly #volumes = new Map<string, GrantedVolume>();
  readonly #end: (end: MachineEnd) => void;
  #shared: SharedParts | undefined;
  #ending = false;
  #closing: Promise<void> | undefined;
  #healing = false;
  /** Roles whose process is being replaced. */
  readonly #restarting = new Set<ProcessRole>();
  #health: NodeJS.Timeout | undefined;

  constructor(options: SplitVmOptions, mode: SplitMode) {
    this.#options = options;
    this.mode = mode;
    const { vm, command, confine, logger } = options;
    const ended = Promise.withResolvers<MachineEnd>();
    this.ended = ended.promise;
    this.#end = ended.resolve;
    this.#identity = createVmIdentity(vm);
    this.#folder = createVmFolder();
    const own = confine && options.ownUser !== false;
    this.#user = own ? prepareUser(options.plan, this.#folder, command) : undefined;
    if (this.#user?.user === undefined) logger.info({ vm, reason: this.#user?.reason ?? '' }, 'no own user');
    const plan = this.#user?.plan ?? options.plan;
    this.#plan = plan;
    this.#bridges = options.consoles.map(({ device, port, backend }) => bridgeConsole(device, port, backend));
    const roles: ProcessRole[] = plan.disks.length === 0 ? ['devices', 'cpu'] : ['block', 'devices', 'cpu'];
    this.#seats = new Map(roles.map((role) => [role, emptySeat(role)]));
  }

  async open(): Promise<void> {
    const { vm } = this.#options;
    const plan = this.#plan;
    if (this.#options.confine) this.#policies = await this.#createPolicies();
    if (this.mode === 'shared') this.#shared = createSharedParts(vm, plan);
    for (const role of this.#seats.keys()) this.#start(role);
    const block = this.#openVolumes();
    const cpu = this.#ready('cpu').then(() => this.#vmm.create(vmmRequest(vm, plan)));
    await Promise.all([cpu, block.then(() => this.#openDevices())]);
    await this.#attach(false);
    void this.#watch();
    this.#health = setInterval(() => {
      for (const seat of this.#seats.values()) void this.#check(seat);
    }, HEALTH_MS);
    this.#health.unref();
  }

  async #createPolicies(): Promise<VmPolicies> {
    const user = this.#user?.user;
    return createVmPolicies({
      plan: this.#plan,
      folder: this.#folder,
      script: this.#options.command.at(-1) ?? '',
      backingFiles: await backingFilesOf(this.#plan.disks),
      ...(user === undefined ? {} : { user }),
    });
  }

  #start(role: ProcessRole): SupervisedProcess {
    const { vm, command, logLevel, onLog, onEvent } = this.#options;
    const seat = this.#seat(role);
    const shared = this.#shared?.forProcess(role);
    const peers: Partial<Record<ProcessRole, string>> = {
      ...(role === 'cpu' ? { devices: this.#identity.token('vmm', 'devices') } : {}),
      ...(role === 'devices' ? { block: this.#identity.token('devices', 'block') } : {}),
    };
    // Nobody listens there any more, and a confined process may not find that out.
    for (const name of [role, `${role}-metrics`]) rmSync(this.#folder.socket(name), { force: true });
    const child = startProcess({
      command,
      setup: {
        role,
        vm,
        listen: [this.#endpoint(role)],
        publicKey: this.#identity.publicKey,
        audience: this.#identity.audience(role),
        tokens: peers,
        ...(role === 'block' ? { capabilityKey: this.#capabilityKey } : {}),
        generation: seat.restarts,
        ...shared?.setup,
        metrics: this.#folder.socket(`${role}-metrics`),
        logLevel,
      },
      descriptors: shared?.descriptors ?? new Map(),
      policy: this.#policies?.policy(role),
      onLog: (line) => onLog(role, line),
    });
    seat.process = child;
    seat.connection?.close();
    // A connection of its own each time: one to the process before would wait before it tries again.
    seat.connection = connect(this.#endpoint(role), healthService, {
      identity: { token: this.#identity.token('node', role) },
    });
    onEvent?.({ kind: 'process-started', message: `${role}: process ${child.pid}` });
    void child.ended.then((end) => this.#died(role, child, end));
    return child;
  }

  async #ready(role: ProcessRole): Promise<void> {
    const child = this.#seat(role).process;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        late.reject(
          new PolyvisorError('unavailable', {
            what: 'a process does not get ready',
            which: role,
            limit: `${START_MS} ms`,
          }),
        ),
      START_MS,
    );
    try {
      await Promise.race([child?.ready, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #openVolumes(): Promise<void> {
    const { vm } = this.#options;
    const plan = this.#plan;
    if (plan.disks.length === 0) return;
    await this.#ready('block');
    const client = this.#connection('block').service(blockService);
    await Promise.all(
      plan.disks.map(async ({ path, format, readOnly }, index) => {
        const volume = `disk${index}`;
        await client.open({ volume, image: path, format, readOnly });
        const { capability } = await client.grant({ volume, vm, readOnly });
        const poolFd = this.#shared?.poolFd(volume);
        this.#volumes.set(volume, {
          endpoint: this.#endpoint('block'),
          capability,
          ...(poolFd === undefined ? {} : { poolFd }),
        });
      }),
    );
  }

  async #openDevices(): Promise<void> {
    const { vm } = this.#options;
    const plan = this.#plan;
    await this.#ready('devices');
    const client = this.#connection('devices').service(deviceService);
    await client.create({ vm, devices: deviceSpecs(plan, this.#volumes) });
    for (const bridge of this.#bridges) bridge.connect(client);
  }

  async #attach(replace: boolean): Promise<void> {
    const seat = this.#seat('devices');
    seat.epoch++;
    await this.#vmm.attachDevices({
      endpoint: this.#endpoint('devices'),
      mode: this.mode,
      epoch: seat.epoch,
      replace,
    });
  }

  get #vmm() {
    return this.#connection('cpu').service(vmmService);
  }

  #seat(role: ProcessRole): Seat {
    return this.#seats.get(role) ?? emptySeat(role);
  }

  #connection(role: ProcessRole): Connection<typeof healthService> {
    const { connection } = this.#seat(role);
    if (connection !== undefined) return connection;
    throw new PolyvisorError('unavailable', { what: 'no such process', which: role });
  }

  #endpoint(role: ProcessRole): string {
    return `unix:${this.#folder.socket(role)}`;
  }

  /** Follows the vmm until the machine has ended. */
  async #watch(): Promise<void> {
    while (!this.#ending && this.#closing === undefined) {
      try {
        for await (const event of messagesOf(this.#vmm.watch({}))) {
          this.#changed(event);
          if (event.end === undefined) continue;
          const { kind, status, message } = event.end;
          await this.inspect().catch(() => {});
          await this.#over(endOf(kind, status, message));
          return;
        }
      } catch (error) {
        // A dead vmm is told of by its exit; one that lives is watched again.
        this.#options.logger.debug({ err: error }, 'the vmm is not watched for now');
      }
      await new Promise((resolve) => setTimeout(resolve, HEAL_MS).unref());
    }
  }

  #changed({ state, reason }: WatchResponse): void {
    if (state === this.state) return;
    this.state = state;
    this.#options.onEvent?.({ kind: 'state', state, message: reason });
    if (state === 'stalled') void this.#heal();
  }

  /** While the machine is stalled: a device host that is well, and whose stream has broken, is attached again. */
  async #heal(): Promise<void> {
    if (this.#healing) return;
    this.#healing = true;
    try {
      while (this.state === 'stalled' && !this.#ending) {
        await new Promise((resolve) => setTimeout(resolve, HEAL_MS).unref());
        const { process: child, connection } = this.#seat('devices');
        // A dead one is being replaced, and one that doesn't answer can't be attached.
        if (child === undefined || connection === undefined || this.#restarting.has('devices')) continue;
        try {
          await connection.service(healthService).check({ service: '' }, { deadlineMs: HEAL_MS });
          const { devices } = await this.inspect();
          const away = devices.some(({ connected }) => !connected);
          // It may be stalled for another reason: no space behind a disk.
          if (!away || this.#seat('devices').process !== child || this.#restarting.has('devices')) continue;
          await this.#attach(false);
          this.#options.onEvent?.({ kind: 'reattached', message: `devices: process ${child.pid}` });
        } catch (error) {
          this.#options.logger.debug({ err: error }, 'devices can not be attached again yet');
        }
      }
    } finally {
      this.#healing = false;
    }
  }

  async #over(end: MachineEnd): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    clearInterval(this.#health);
    // A device host that has just died has nothing more to tell.
    await Promise.all(this.#bridges.map((bridge) => bridge.drain(DRAIN_MS)));
    this.state = 'ended';
    this.#end(end);
  }

  #died(role: ProcessRole, child: SupervisedProcess, { code, signal }: ProcessEnd): void {
    const seat = this.#seat(role);
    if (this.#ending || this.#closing !== undefined || seat.process !== child) return;
    seat.process = undefined;
    const how = signal ?? `status ${code ?? 'unknown'}`;
    this.#options.logger.warn({ role, pid: child.pid, how }, 'a process died');
    this.#options.onEvent?.({ kind: 'process-died', message: `${role}: ${how}` });
    if (role === 'cpu') {
      const error = new PolyvisorError('unavailable', { what: 'the CPU process died', limit: how });
      void this.#over({ kind: 'failure', error });
    } else if (this.state !== 'empty' && !this.#restarting.has(role)) {
      this.#restarting.add(role);
      void this.#restart(seat).finally(() => this.#restarting.delete(role));
    }
  }

  /** The process before is dead: nothing of it can come any more. */
  async #restart(seat: Seat): Promise<void> {
    const { role } = seat;
    for (;;) {
      await seat.pacer.pause();
      if (this.#ending || this.#closing !== undefined) return;
      seat.restarts++;
      const child = this.#start(role);
      try {
        if (role === 'block') await this.#openVolumes();
        else {
          await this.#openDevices();
          await this.#attach(true);
        }
        this.#options.logger.info({ role, pid: child.pid }, 'a process was restarted');
        this.#options.onEvent?.({ kind: 'process-restarted', message: `${role}: process ${child.pid}` });
        return;
      } catch (error) {
        if (this.#ending || this.#closing !== undefined) return;
        this.#options.logger.error({ role, err: error }, 'a process could not be restarted');
        seat.process = undefined;
        child.kill();
        await child.ended;
      }
    }
  }

  /** Kills a process that hangs: its death is what starts another one. */
  async #check({ role, process: child, connection }: Seat): Promise<void> {
    if (child === undefined || connection === undefined || checking.has(child)) return;
    checking.add(child);
    try {
      await child.ready;
      let silentMs = 0;
      while (!this.#ending && this.#seat(role).process === child) {
        const asked = performance.now();
        try {
          await connection.service(healthService).check({ service: '' }, { deadlineMs: HEALTH_MS });
          return;
        } catch {
          const waited = performance.now() - asked;
          if (waited < HEALTH_MS)
            await new Promise((resolve) => setTimeout(resolve, HEALTH_MS - waited).unref());
          // One that somebody stopped is left alone; its time begins when it goes on.
          silentMs = child.stopped() ? 0 : silentMs + Math.min(performance.now() - asked, 2 * HEALTH_MS);
        }
        if (silentMs < HANG_MS) continue;
        this.#options.onEvent?.({ kind: 'process-hangs', message: `${role}: no answer for ${HANG_MS} ms` });
        child.kill();
        return;
      }
    } catch {
      // It died before it was ready.
    } finally {
      checking.delete(child);
    }
  }

  async run(): Promise<void> {
    await this.#vmm.run({});
  }

  async pause(): Promise<void> {
    await this.#vmm.pause({});
  }

  async reset(): Promise<void> {
    await this.#vmm.reset({});
  }

  async stop(): Promise<void> {
    if (this.#ending) return;
    try {
      await this.#vmm.stop({}, { deadlineMs: STOP_MS });
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the vmm does not stop by itself');
    }
    await this.#over({ kind: 'stopped' });
  }

  resizeConsole(columns: number, rows: number): void {
    this.#bridges[0]?.resize(columns, rows);
  }

  get processes(): readonly VmProcessInfo[] {
    return [...this.#seats.values()].flatMap(({ role, process: child, epoch, restarts }) =>
      child === undefined
        ? []
        : [
            {
              role,
              pid: child.pid,
              epoch,
              restarts,
              confinement: child.confinement,
              metrics: this.#folder.socket(`${role}-metrics`),
            },
          ],
    );
  }

  async inspect(): Promise<InspectResponse> {
    const response = await this.#vmm.inspect({}, { deadlineMs: 5_000 });
    this.figures = Object.fromEntries(response.figures);
    return response;
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      clearInterval(this.#health);
      for (const bridge of this.#bridges) bridge.close();
      // One after another: each would complain of the absence of the next.
      for (const role of processRoles) await this.#seat(role).process?.stop(GRACE_MS);
      for (const { connection } of this.#seats.values()) connection?.close();
      this.#shared?.close();
      this.#folder.remove();
      this.#user?.restore();
      this.#end({ kind: 'stopped' });
    })();
    return this.#closing;
  }
}

/** Processes that are being asked. */
const checking = new WeakSet<SupervisedProcess>();

function emptySeat(role: ProcessRole): Seat {
  return {
    role,
    process: undefined,
    connection: undefined,
    epoch: 0,
    restarts: 0,
    pacer: createRestartPacer(),
  };
}

function endOf(kind: string, status: number, message: string): MachineEnd {
  if (kind === 'power-off') return { kind, status };
  if (kind === 'reboot' || kind === 'stopped') return { kind };
  return { kind: 'failure', error: new PolyvisorError('internal', { what: message }) };
}
