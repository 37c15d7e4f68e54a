import { PolyvisorError } from '@polyvisor/contracts';
import type { MachineReader } from '@polyvisor/node/service';
import type { VmPlan } from '@polyvisor/node/vm';
import { DEFAULT_IMAGE } from '../image/image-name.ts';
import { defaultSources, resolveBootFiles } from '../run/boot-files.ts';
import { checkFiles } from '../run/check-files.ts';
import { checkSettings } from '../settings/check-settings.ts';
import { withDefaults } from '../settings/run-settings.ts';
import type { RunSettings } from '../settings/run-settings.ts';
import { settingsFromText } from '../settings/settings-from-file.ts';

/** Reads machines for a node as `polyvisor run --config` reads them; relative paths count from the root folder. */
export function createMachineReader(): MachineReader {
  return {
    check: (yaml) => {
      const { cpus, memory } = settingsOf(yaml);
      return { cpus, memoryBytes: memory };
    },
    resolve: async (yaml) => {
      const settings = settingsOf(yaml);
      checkFiles(settings);
      return planOfSettings(settings);
    },
  };
}

/** @throws PolyvisorError `invalid-argument` with all mistakes. */
function settingsOf(yaml: string): RunSettings {
  let settings: RunSettings;
  try {
    const { given, locate } = settingsFromText(yaml, '/machine.yaml');
    settings = withDefaults(given, DEFAULT_IMAGE);
    const problems = checkSettings(settings).map(locate);
    if (problems.length > 0) throw new AggregateError(problems);
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    const messages = error.errors.map((each: unknown) =>
      each instanceof Error ? each.message : String(each),
    );
    throw new PolyvisorError('invalid-argument', { what: messages.join('; ') });
  }
  if (settings.icount) {
    throw new PolyvisorError('unsupported', { what: 'icount: not with processes of their own' });
  }
  return settings;
}

async function planOfSettings(settings: RunSettings): Promise<VmPlan> {
  const { name, memory, cpus, disks, nets, shares, rng, balloon, console, tier, reboot } = settings;
  return {
    board: 'riscv-virt',
    name,
    memory,
    cpus,
    accel: { kind: 'tcg', tier, icount: false },
    ...(await resolveBootFiles(settings, [], defaultSources())),
    consolePorts: console === 'virtio' ? ['org.polyvisor.console'] : [],
    disks,
    nets,
    shares,
    rng,
    balloon,
    noReboot: !reboot,
  };
}
