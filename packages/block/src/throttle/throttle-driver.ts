import type { DriverOption, FormatDriver } from '../graph/driver.ts';
import { ThrottleNode } from './throttle-node.ts';

const limit = (name: string, help: string): DriverOption => ({ name, type: 'size', default: 0, help });

/** Limits operations and bytes a second. */
export const throttleDriver: FormatDriver = {
  openOptions: [
    limit('iops-total', 'operations a second'),
    limit('iops-read', 'reads a second'),
    limit('iops-write', 'writes a second'),
    limit('bps-total', 'bytes a second'),
    limit('bps-read', 'bytes read a second'),
    limit('bps-write', 'bytes written a second'),
  ],
  async open(file, { values }) {
    const number = (name: string): number => Number(values[name] ?? 0);
    return new ThrottleNode(file, {
      iopsTotal: number('iops-total'),
      iopsRead: number('iops-read'),
      iopsWrite: number('iops-write'),
      bpsTotal: number('bps-total'),
      bpsRead: number('bps-read'),
      bpsWrite: number('bps-write'),
    });
  },
};
