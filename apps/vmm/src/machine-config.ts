import type { CharBackend, Logger } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { DevicePlace, FirmwareConfig, MachineConfig, TcgTier } from '@polyvisor/machine';
import type { CreateRequest } from '@polyvisor/proto/service/cpu';

const TIERS: readonly TcgTier[] = ['auto', 'interpreter', 'translator', 'lockstep'];
const KINDS: readonly DevicePlace['kind'][] = ['rtc', 'serial', 'console', 'disk', 'net', 'share', 'rng'];

/** @throws PolyvisorError `invalid-argument` naming what this vmm can't be. */
export function machineConfigOf(request: CreateRequest, serial: CharBackend, logger: Logger): MachineConfig {
  const { board, name, vm, cpus, memoryBytes, accelerator, kernel, initrd, append, balloon, noReboot } =
    request;
  if (board !== 'riscv-virt') throw bad('board', board, 'riscv-virt');
  const kind = accelerator?.kind ?? 'tcg';
  if (kind !== 'tcg') throw bad('accelerator', kind, 'tcg');
  const tier = TIERS.find((each) => each === (accelerator?.tier ?? 'auto'));
  if (tier === undefined) throw bad('tier', accelerator?.tier ?? '', TIERS.join(', '));
  return {
    board,
    name: name === '' ? vm : name,
    memory: memoryBytes,
    cpus,
    accel: { kind: 'tcg', tier, icount: false },
    firmware: firmwareOf(request),
    ...(kernel === '' ? {} : { kernel }),
    ...(initrd === '' ? {} : { initrd }),
    ...(append === '' ? {} : { append }),
    serial,
    consolePorts: [],
    disks: [],
    nets: [],
    shares: [],
    rng: false,
    balloon,
    noReboot,
    logger,
  };
}

function firmwareOf({ firmware }: CreateRequest): FirmwareConfig {
  const kind = firmware?.kind ?? 'builtin';
  if (kind === 'builtin' || kind === 'none') return { kind };
  if (kind === 'file' && firmware !== undefined) return { kind, path: firmware.path };
  throw bad('firmware', kind, 'builtin, file, none');
}

/** @throws PolyvisorError `invalid-argument` for kinds that no board knows, and names that come twice. */
export function placesOf({ devices }: CreateRequest): DevicePlace[] {
  const names = new Set<string>();
  return devices.map(({ name, kind: given }) => {
    const kind = KINDS.find((each) => each === given);
    if (kind === undefined) throw bad(`kind of ${name}`, given, KINDS.join(', '));
    if (names.has(name) || name === '') throw bad('name of a device', name, 'each has a name of its own');
    names.add(name);
    return { kind, name };
  });
}

function bad(what: string, which: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: `bad ${what}`, which, limit });
}
