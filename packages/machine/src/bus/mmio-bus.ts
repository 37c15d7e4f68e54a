import { PolyvisorError } from '@polyvisor/contracts';
import type { Gpa, MmioDevice } from '@polyvisor/contracts';

/** A device at its place in the address space. */
export interface MappedDevice {
  readonly gpa: Gpa;
  readonly size: number;
  readonly device: MmioDevice;
  /** Input of the interrupt controller, of a device that vCPU threads may reach by themselves. */
  readonly irq?: number;
}

/** The address map of devices, on the thread that they live on. */
export interface MmioBus {
  readonly mapped: readonly MappedDevice[];
  /** @throws PolyvisorError `already-exists` when the window overlaps another. */
  map(gpa: Gpa, device: MmioDevice, irq?: number): void;
  /** The device that answers all of an access, or undefined. */
  find(gpa: Gpa, width: number): MappedDevice | undefined;
}

/** An empty address map. Lookups search a sorted list and remember the last hit. */
export function createMmioBus(): MmioBus {
  const mapped: MappedDevice[] = [];
  let last: MappedDevice | undefined;

  function find(gpa: Gpa, width: number): MappedDevice | undefined {
    if (last !== undefined && contains(last, gpa, width)) return last;
    let low = 0;
    let high = mapped.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const candidate = mapped[middle] as MappedDevice;
      if (gpa < candidate.gpa) high = middle - 1;
      else if (gpa >= candidate.gpa + candidate.size) low = middle + 1;
      else return contains(candidate, gpa, width) ? (last = candidate) : undefined;
    }
    return undefined;
  }

  return {
    mapped,
    map(gpa, device, irq) {
      const window: MappedDevice = { gpa, size: device.size, device, ...(irq === undefined ? {} : { irq }) };
      const other = mapped.find((each) => gpa < each.gpa + each.size && each.gpa < gpa + device.size);
      if (other !== undefined) {
        throw new PolyvisorError('already-exists', {
          what: `no address space for ${device.name}`,
          which: `0x${gpa.toString(16)}`,
          limit: `${other.device.name} is there`,
        });
      }
      mapped.push(window);
      mapped.sort((a, b) => a.gpa - b.gpa);
    },
    find,
  };
}

function contains(window: MappedDevice, gpa: Gpa, width: number): boolean {
  return gpa >= window.gpa && gpa + width <= window.gpa + window.size;
}
