import { randomFillSync } from 'node:crypto';
import { createClockHandle, createSharedClock } from '@polyvisor/clock';
import type { ClockHandle, SharedClock } from '@polyvisor/clock';
import { PolyvisorError } from '@polyvisor/contracts';
import type { MmioDevice } from '@polyvisor/contracts';
import type { Finish } from '@polyvisor/devices';
import { createGuestMemory } from '@polyvisor/guest-memory';
import type { BackedGuestMemory } from '@polyvisor/guest-memory';
import { aclintWords, createAclint, createPlic, plicWords } from '@polyvisor/irqchip';
import type { Aclint, Plic } from '@polyvisor/irqchip';
import type { MachineAccelerator, MachineVm, MachineVmConfig } from '../../accelerated.ts';
import { createMmioBus } from '../../bus/mmio-bus.ts';
import type { MmioBus } from '../../bus/mmio-bus.ts';
import { describeWindows } from '../../bus/remote-window.ts';
import { createRingServer } from '../../bus/ring-server.ts';
import type { FirmwareServices, RingServer, RingServerOptions } from '../../bus/ring-server.ts';
import type { MachineConfig } from '../../config.ts';
import { writeFdt } from '../../fdt/write-fdt.ts';
import type { FwDynamicInfo } from '../../loaders/fw-dynamic.ts';
import { imageFromBytes } from '../../loaders/image-file.ts';
import { loadPieces, wholeFile } from '../../loaders/load-plan.ts';
import { placeFdt } from '../../loaders/placement.ts';
import { buildResetVector } from '../../loaders/reset-vector.ts';
import type { Board } from '../../lifecycle/board.ts';
import { SRST_REASON_FAILURE, SRST_SHUTDOWN } from '../../sbi/registers.ts';
import { createVcpuPool } from '../../vcpu/vcpu-pool.ts';
import type { VcpuPool } from '../../vcpu/vcpu-pool.ts';
import type { BoardParts } from './board-state.ts';
import { buildBoardTree } from './board-tree.ts';
import { openBootImages } from './boot-images.ts';
import type { BootImages } from './boot-images.ts';
import { checkConfig, checkConsoleSize } from './check-config.ts';
import { createDevices } from './devices.ts';
import type { DeviceSource } from './devices.ts';
import { MROM_BASE, NS_PER_TICK, RAM_BASE, regionsOf } from './memory-map.ts';
import { unattended } from './unattended.ts';

/** What the guest, or a failure, asks of the machine. */
export interface BoardEvents {
  readonly onPowerOff: (status: number) => void;
  readonly onReboot: () => void;
  readonly onFailure: (error: Error) => void;
}

/** Parts that somebody else has made. */
export interface SuppliedParts {
  /** Default: what the configuration asks for, in this process. */
  readonly devices?: DeviceSource | undefined;
  /** Default: a new one. Not for icount. */
  readonly clock?: ClockHandle | undefined;
}

/** S-mode, in `fw_dynamic_info`. */
const NEXT_MODE_SUPERVISOR = 1;
const RNG_SEED_SIZE = 32;

/**
 * Builds the board: opens images and backends, makes memory, threads and devices, wires them. Nothing runs yet.
 * @throws PolyvisorError; nothing is left open then.
 */
export async function createRiscvVirt(
  given: MachineConfig,
  accelerator: MachineAccelerator,
  events: BoardEvents,
  supplied: SuppliedParts,
): Promise<Board> {
  checkConfig(given);
  const config = given.accel.icount ? unattended(given) : given;
  const images = openBootImages(config);
  const cleanups: (() => unknown)[] = [() => images.close()];
  try {
    // The threads load their modules while this one builds the rest.
    let servers: readonly RingServer[] = [];
    const pool = createVcpuPool({
      count: config.cpus,
      ...(accelerator.stackSizeMb === undefined ? {} : { stackSizeMb: accelerator.stackSizeMb }),
      ...(accelerator.vcpuModule === undefined ? {} : { preload: accelerator.vcpuModule }),
      onWake: (index) => servers[index]?.wake(),
      onFailure: events.onFailure,
    });
    cleanups.push(() => pool.close());
    const clockHandle = supplied.clock ?? createClockHandle(config.accel.icount ? 'icount' : 'wall');
    const clock = createSharedClock(clockHandle);
    cleanups.push(() => clock.close());
    const vm = await createVm(accelerator, {
      vcpus: config.cpus,
      regions: regionsOf(config.memory),
      clock: clockHandle,
      nsPerTick: NS_PER_TICK,
      onProblem({ error, fatal }) {
        if (fatal) events.onFailure(error);
        else
          config.logger.warn(
            { err: error, machine: config.name },
            'the accelerator has a problem, the guest goes on',
          );
      },
    });
    cleanups.push(() => vm.close());
    const memory = createGuestMemory(vm.memory, {
      onCodeWrite: (offset, length) => vm.codeWritten(offset, length),
    });
    const load = planLoad(config, images, vm, memory, pool);
    // Images are read while devices are being made and threads load.
    const loading = load();
    const loadSettled = loading.catch(() => {});
    cleanups.push(() => loadSettled);
    const irqchip = createIrqchip(config, vm, clock);
    const bus = createMmioBus();
    cleanups.push(() => Promise.all(bus.mapped.map(({ device }) => device.close())));
    const devices = await createDevices(
      config,
      { bus, memory, clock, line: (source) => irqchip.plic.line(source), onFinish: finisher(events) },
      supplied.devices,
    );

    servers = pool.rings.map((ring) =>
      createRingServer(serverOptions(ring, { config, bus, memory, clock, events })),
    );
    pool.open(
      {
        board: 'riscv-virt',
        module: vm.vcpuModule,
        handle: vm.handle,
        clock: clockHandle,
        nsPerTick: NS_PER_TICK,
        synchronous: config.accel.icount,
        remote: describeWindows(bus),
        harts: config.cpus,
        ramSize: config.memory,
        plic: irqchip.plicWords,
        aclint: irqchip.aclintWords,
        builtinSbi: config.firmware.kind === 'builtin',
      },
      (index) => vm.kick(index),
    );
    for (const server of servers) server.wake();
    await loading;
    const parts = (): BoardParts => ({
      clock,
      pool,
      plic: irqchip.plic,
      aclint: irqchip.aclint,
      devices: bus.mapped.map(({ device }) => device),
    });
    const ramRegion = vm.memory.regions[0];
    return {
      clock,
      pool,
      ram: new Uint8Array(vm.memory.buffer, ramRegion?.offset, config.memory),
      async save() {
        const { saveBoard } = await import('./board-state.ts');
        return saveBoard(parts());
      },
      async load(saved) {
        const { loadBoard } = await import('./board-state.ts');
        await loadBoard(parts(), saved, config.cpus);
      },
      devices: () => bus.mapped.map(({ device }) => device),
      async reset() {
        // Devices first: they lower their lines, then the controllers forget what was pending.
        for (const { device } of bus.mapped) device.reset();
        for (const device of devices.opened) if (device.kind === 'virtio') device.powerOn?.();
        irqchip.plic.reset();
        irqchip.aclint.reset();
        await load();
      },
      balloon(targetBytes) {
        if (devices.balloon === undefined) {
          throw new PolyvisorError('unsupported', {
            what: 'this machine has no balloon',
            hint: 'start it with one',
          });
        }
        const kept = Math.min(Math.max(targetBytes, 0), config.memory);
        devices.balloon.setTarget(config.memory - kept);
      },
      resizeConsole(columns, rows) {
        const terminal = devices.opened.find(
          (device) => device.kind === 'virtio' && device.resize !== undefined,
        );
        if (terminal?.kind !== 'virtio' || config.consoleSize === undefined || config.accel.icount) {
          throw new PolyvisorError('unsupported', {
            what: "this machine's console has a fixed size",
            hint: 'start it with console ports and a size, without icount',
          });
        }
        checkConsoleSize({ columns, rows });
        terminal.resize?.(columns, rows);
      },
      stats: () => vm.stats(),
      async close() {
        for (const server of servers) server.close();
        await runAll(cleanups);
      },
    };
  } catch (error) {
    await runAll(cleanups);
    throw error;
  }
}

/** @throws PolyvisorError `limit` when the host has no address space or memory for the guest's. */
async function createVm(accelerator: MachineAccelerator, config: MachineVmConfig): Promise<MachineVm> {
  try {
    return await accelerator.createVm(config);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const bytes = config.regions.reduce((sum, region) => sum + region.size, 0);
    throw new PolyvisorError('limit', {
      what: "can't get memory for the guest",
      which: `${Math.ceil(bytes / 0x10_0000)} MiB`,
      limit: cause.message,
      hint: 'give the machine less',
      cause,
    });
  }
}

/** Last made, first undone; each is tried, the first error is thrown. */
async function runAll(cleanups: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups.toReversed()) {
    try {
      await cleanup();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

interface Irqchip {
  readonly plic: Plic;
  readonly aclint: Aclint;
  readonly plicWords: Int32Array;
  readonly aclintWords: Int32Array;
}

function createIrqchip(config: MachineConfig, vm: MachineVm, clock: SharedClock): Irqchip {
  const harts = config.cpus;
  const { signals } = vm;
  const shared = (words: number): Int32Array => new Int32Array(new SharedArrayBuffer(words * 4));
  const forPlic = shared(plicWords(harts));
  const forAclint = shared(aclintWords(harts));
  const plic = createPlic({ words: forPlic, harts, signals });
  const aclint = createAclint({ words: forAclint, harts, signals, clock, nsPerTick: NS_PER_TICK });
  aclint.reset();
  return { plic, aclint, plicWords: forPlic, aclintWords: forAclint };
}

function finisher({ onPowerOff, onReboot }: BoardEvents): (finish: Finish) => void {
  return ({ kind, code }) => {
    if (kind === 'reset') onReboot();
    else onPowerOff(code);
  };
}

interface ServerContext {
  readonly config: MachineConfig;
  readonly bus: MmioBus;
  readonly memory: BackedGuestMemory;
  readonly clock: SharedClock;
  readonly events: BoardEvents;
}

function serverOptions(ring: Int32Array, context: ServerContext): RingServerOptions {
  const { config, bus, clock, events } = context;
  const onError = (error: unknown): void =>
    events.onFailure(error instanceof Error ? error : new Error(String(error)));
  const firmware = config.firmware.kind === 'builtin' ? { firmware: firmwareServices(context) } : {};
  if (!config.accel.icount) return { ring, bus, onError, ...firmware };
  const settle = async (devices: readonly MmioDevice[]): Promise<void> => {
    await Promise.all(devices.map((device) => device.quiesce()));
    for (const device of devices) device.resume();
  };
  return {
    ring,
    bus,
    onError,
    ...firmware,
    lockstep: {
      runTimers: () => clock.runDue(),
      settle: (touched) =>
        settle(touched === undefined ? bus.mapped.map(({ device }) => device) : [touched.device]),
    },
  };
}

function firmwareServices({ config, memory, events }: ServerContext): FirmwareServices {
  const { serial } = config;
  return {
    consoleWrite(gpa, length) {
      const offset = memory.locate(gpa, length);
      if (offset < 0) return -1;
      const count = Math.min(length, serial.room?.() ?? length);
      // Backends get a copy: the guest's memory may change under their eyes.
      serial.write(memory.bytes.slice(offset, offset + count));
      return count;
    },
    consoleByte: (byte) => serial.write(Uint8Array.of(byte)),
    systemReset(type, reason) {
      if (type === SRST_SHUTDOWN) events.onPowerOff(reason === SRST_REASON_FAILURE ? 1 : 0);
      else events.onReboot();
    },
  };
}

/** Gives a function that puts everything into memory that a start needs, and tells which harts begin where. */
function planLoad(
  config: MachineConfig,
  images: BootImages,
  vm: MachineVm,
  memory: BackedGuestMemory,
  pool: VcpuPool,
): () => Promise<void> {
  const ram = { base: RAM_BASE, size: config.memory };
  const buildFdt = (): Uint8Array =>
    writeFdt(
      buildBoardTree({
        harts: config.cpus,
        ramSize: config.memory,
        isa: vm.isa,
        ...(config.append === undefined ? {} : { bootargs: config.append }),
        ...(images.initrd === undefined ? {} : { initrd: images.initrd }),
        ...(config.accel.icount ? {} : { rngSeed: randomFillSync(new Uint8Array(RNG_SEED_SIZE)) }),
      }),
    );
  const fdtAt = placeFdt(buildFdt().length, images.pieces, ram);
  const info: FwDynamicInfo = {
    nextAddress: images.kernelEntry,
    nextMode: NEXT_MODE_SUPERVISOR,
    bootHart: 0,
  };
  const rom = buildResetVector({ entry: images.entry, fdt: fdtAt, info });
  const everyHart = Array.from({ length: config.cpus }, (_, hart) => hart);

  return async () => {
    // Built anew: each start gets a seed of its own.
    const fdt = wholeFile('device tree', imageFromBytes('device tree', '', buildFdt()), fdtAt);
    await loadPieces([...images.pieces, fdt], memory);
    memory.load(MROM_BASE, rom);
    if (config.firmware.kind === 'builtin') pool.powerOn([0], images.entry, fdtAt);
    else pool.powerOn(everyHart, MROM_BASE, 0);
  };
}
