import type { SharedClock } from '@polyvisor/clock';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Device } from '@polyvisor/contracts';
import type { Aclint, Plic } from '@polyvisor/irqchip';
import { loadAclint, loadPlic, saveAclint, savePlic } from '@polyvisor/irqchip/save-state';
import { loadSection, saveSection } from '@polyvisor/proto';
import { hartPowerState } from '@polyvisor/proto/state/hart-power';
import { machineClockState } from '@polyvisor/proto/state/machine-clock';
import type { SavedPart } from '../../config.ts';
import { captureHarts, restoreHarts } from '../../vcpu/control-words.ts';
import type { VcpuPool } from '../../vcpu/vcpu-pool.ts';

/** Parts of the board that have a state. */
export interface BoardParts {
  readonly clock: SharedClock;
  readonly pool: VcpuPool;
  readonly plic: Plic;
  readonly aclint: Aclint;
  readonly devices: readonly Device[];
}

/** One part's way to be saved and loaded. */
interface Keeper {
  readonly name: string;
  readonly save: () => SavedPart['section'];
  readonly load: (section: SavedPart['section']) => void;
}

/** In the order in which they are loaded: time before timers, devices before the controllers that their lines lead to. */
function keepers({ clock, pool, plic, aclint, devices }: BoardParts): Keeper[] {
  return [
    {
      name: 'clock',
      save: () => saveSection(machineClockState, { nowNs: BigInt(Math.floor(clock.nowNs())) }),
      load(section) {
        const state = machineClockState.create();
        loadSection(machineClockState, state, section);
        if (state.nowNs > BigInt(Number.MAX_SAFE_INTEGER)) {
          throw new PolyvisorError('corrupt', { what: 'bad saved time', which: `${state.nowNs} ns` });
        }
        clock.set(Number(state.nowNs));
      },
    },
    ...devices.map((device) => ({
      name: device.name,
      save: () => device.save(),
      load: (section: SavedPart['section']) => device.load(section),
    })),
    { name: 'plic', save: () => savePlic(plic), load: (section) => loadPlic(plic, section) },
    { name: 'aclint', save: () => saveAclint(aclint), load: (section) => loadAclint(aclint, section) },
    {
      name: 'harts',
      save: () => saveSection(hartPowerState, captureHarts(pool.control)),
      load(section) {
        const state = hartPowerState.create();
        loadSection(hartPowerState, state, section);
        restoreHarts(pool.control, state);
      },
    },
  ];
}

/** Saves all parts. While vCPUs stand still and devices are quiesced. */
export async function saveBoard(parts: BoardParts): Promise<SavedPart[]> {
  const saved = keepers(parts).map(({ name, save }) => ({ name, section: save() }));
  const vcpus = await parts.pool.save();
  return [...saved, ...vcpus.map((section, index) => ({ name: `vcpu${index}`, section }))];
}

/**
 * Loads all parts: devices, then controllers, then vCPUs, which look at both.
 * @throws PolyvisorError (rejects) `corrupt` or `unsupported`; the board is then half loaded.
 */
export async function loadBoard(
  parts: BoardParts,
  saved: readonly SavedPart[],
  harts: number,
): Promise<void> {
  const all = keepers(parts);
  const vcpus = Array.from({ length: harts }, (_, index) => `vcpu${index}`);
  const byName = new Map(saved.map(({ name, section }) => [name, section]));
  const known = [...all.map(({ name }) => name), ...vcpus];
  const missing = known.find((name) => !byName.has(name));
  const foreign = saved.find(({ name }) => !known.includes(name));
  if (missing !== undefined || foreign !== undefined || byName.size !== saved.length) {
    throw new PolyvisorError('corrupt', {
      what: "saved state doesn't fit this machine",
      which: missing ?? foreign?.name ?? 'a part comes twice',
      limit: missing === undefined ? 'no such part here' : 'missing',
      hint: 'start it with the same devices and CPUs',
    });
  }
  for (const { name, load } of all) load(byName.get(name) as SavedPart['section']);
  await parts.pool.load(vcpus.map((name) => byName.get(name) as SavedPart['section']));
}
