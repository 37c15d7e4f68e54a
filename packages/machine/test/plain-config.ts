import { silentLogger } from '@polyvisor/contracts';
import type { MachineConfig } from '../src/index.ts';

/** Configuration of a machine with no devices but the board's own; a test says what it wants otherwise. */
export function plainConfig(
  own: Pick<MachineConfig, 'kernel' | 'serial'> & Partial<MachineConfig>,
): MachineConfig {
  return {
    board: 'riscv-virt',
    name: 'test',
    memory: 32 << 20,
    cpus: 1,
    accel: { kind: 'tcg', tier: 'auto', icount: false },
    firmware: { kind: 'builtin' },
    consolePorts: [],
    disks: [],
    nets: [],
    shares: [],
    rng: false,
    balloon: false,
    noReboot: true,
    logger: silentLogger,
    ...own,
  };
}
