import type { Gpa } from '@polyvisor/contracts';
import type { MmioBus } from './mmio-bus.ts';

/** A device's place in the address space as a vCPU's thread knows it. Structured-cloneable. */
export interface RemoteWindow {
  readonly gpa: Gpa;
  readonly size: number;
  /** 1 for each 4 bytes whose writes may be posted. Absent: none. */
  readonly posted?: Uint8Array;
}

/** What vCPU threads have to know of the devices on a bus. */
export function describeWindows(bus: MmioBus): RemoteWindow[] {
  return bus.mapped.map(({ gpa, size, device }) => {
    if (device.posted === undefined) return { gpa, size };
    const posted = new Uint8Array(Math.ceil(size / 4));
    for (let index = 0; index < posted.length; index++) posted[index] = device.posted(index * 4) ? 1 : 0;
    return { gpa, size, posted };
  });
}
