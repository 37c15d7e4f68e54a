import { PolyvisorError } from '@polyvisor/contracts';
import type { ConsoleSize, MachineConfig } from '../../config.ts';
import { MAX_HARTS, MIN_RAM, VIRTIO_SLOTS } from './memory-map.ts';

const MIB = 0x10_0000;
/** Guest RAM and the accelerator's own tables share 4 GiB. */
const MAX_RAM = 3072 * MIB;

/**
 * Refuses what this board can't be.
 * @throws PolyvisorError `limit` or `invalid-argument`, naming setting, limit and what to do.
 */
export function checkConfig(config: MachineConfig): void {
  const { memory, cpus, accel } = config;
  if (!Number.isSafeInteger(memory) || memory % 4096 !== 0)
    throw bad('memory size', `${memory}`, 'a multiple of 4096 bytes is needed');
  if (memory < MIN_RAM || memory > MAX_RAM) {
    throw bad('memory size', `${memory / MIB} MiB`, `${MIN_RAM / MIB} to ${MAX_RAM / MIB} MiB`);
  }
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > MAX_HARTS)
    throw bad('number of CPUs', `${cpus}`, `1 to ${MAX_HARTS}`);
  if (config.consoleSize !== undefined) checkConsoleSize(config.consoleSize);
  const slots = countSlots(config);
  if (slots > VIRTIO_SLOTS)
    throw bad('number of virtio devices', `${slots}`, `the board has ${VIRTIO_SLOTS} slots`);
  if (!accel.icount) return;
  if (cpus > 1)
    throw bad('number of CPUs', `${cpus}`, 'icount runs one CPU: several would not run the same way twice');
  if (config.nets.length > 0)
    throw bad('network', 'with icount', 'packets from outside would not come the same way twice');
  if (config.shares.length > 0)
    throw bad('share', 'with icount', 'a host folder is not the same twice, and changes from outside');
  if (config.balloon) throw bad('balloon', 'with icount', 'the host moves it at times of its own');
}

/** @throws PolyvisorError `invalid-argument` for what the console device has no room for. */
export function checkConsoleSize({ columns, rows }: ConsoleSize): void {
  const possible = [columns, rows].every((count) => Number.isInteger(count) && count >= 1 && count <= 0xffff);
  if (!possible) throw bad('console size', `${columns} columns, ${rows} rows`, '1 to 65535 each');
}

function countSlots({ consolePorts, disks, nets, shares, rng, balloon }: MachineConfig): number {
  return (
    (consolePorts.length > 0 ? 1 : 0) +
    disks.length +
    nets.length +
    shares.length +
    (rng ? 1 : 0) +
    (balloon ? 1 : 0)
  );
}

function bad(what: string, which: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: `bad ${what}`, which, limit });
}
