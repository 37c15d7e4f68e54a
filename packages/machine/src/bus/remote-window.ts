import type { DirectAccess, Gpa } from '@polyvisor/contracts';
import type { MmioBus } from './mmio-bus.ts';

/** A device's place in the address space as a vCPU's thread knows it. Structured-cloneable. */
export interface RemoteWindow {
  readonly gpa: Gpa;
  readonly size: number;
  /** 1 for each offset that writes may be posted to. Absent: none. */
  readonly posted?: Uint8Array;
  /** The vCPU's thread may reach the device by itself. */
  readonly direct?: DirectAccess & { readonly irq: number };
}

/** Larger windows post nothing: the table would be out of proportion. */
const POSTED_LIMIT = 0x1_0000;

/** What vCPU threads have to know of the devices on a bus. */
export function describeWindows(bus: MmioBus): RemoteWindow[] {
  return bus.mapped.map(({ gpa, size, device, irq }) => {
    const direct =
      device.direct !== undefined && irq !== undefined ? { direct: { ...device.direct, irq } } : {};
    if (device.posted === undefined || size > POSTED_LIMIT) return { gpa, size, ...direct };
    const posted = new Uint8Array(size);
    for (let offset = 0; offset < size; offset++) posted[offset] = device.posted(offset) ? 1 : 0;
    return { gpa, size, posted, ...direct };
  });
}
