import type { MachineAccelerator } from './accelerated.ts';
import { createRiscvVirt } from './boards/riscv-virt/riscv-virt.ts';
import type { SuppliedParts } from './boards/riscv-virt/riscv-virt.ts';
import type { Machine, MachineConfig } from './config.ts';
import type { MachineLife } from './lifecycle/machine.ts';
import { createMachineLife } from './lifecycle/machine.ts';

/** Replaceable parts. */
export interface MachineDependencies extends SuppliedParts {
  /** Default: TCG, as the configuration tells. */
  readonly accelerator?: MachineAccelerator;
}

/**
 * Builds a machine; it starts no vCPU until `start()`.
 * @throws PolyvisorError (rejects) for a bad configuration, files that are missing, foreign or too large, disks that
 * can't be opened; nothing is left open then.
 */
export async function createMachine(
  config: MachineConfig,
  dependencies: MachineDependencies = {},
): Promise<Machine> {
  const accelerator = dependencies.accelerator ?? (await openAccelerator(config));
  // What happens before there is a machine (a thread may fail while the rest is being built) waits for it.
  let life: MachineLife | undefined = undefined as MachineLife | undefined;
  let failure: Error | undefined;
  const board = await createRiscvVirt(
    config,
    accelerator,
    {
      onPowerOff: (status) => life?.end({ kind: 'power-off', status }),
      onReboot: () => life?.reboot(),
      onFailure(error) {
        config.logger.error({ err: error, machine: config.name }, 'machine failed');
        failure ??= error;
        life?.end({ kind: 'failure', error });
      },
    },
    dependencies,
  );
  life = createMachineLife(config, board);
  if (failure !== undefined) life.end({ kind: 'failure', error: failure });
  return life.machine;
}

async function openAccelerator({ accel }: MachineConfig): Promise<MachineAccelerator> {
  const { createTcg } = await import('@polyvisor/accel-tcg');
  return createTcg({ tier: accel.tier, icount: accel.icount }) as MachineAccelerator;
}
