import { PolyvisorError } from '@polyvisor/contracts';

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Smallest and biggest allowed size, in bytes. */
export interface SizeLimits {
  readonly least: number;
  readonly most: number;
}

/** Parses `512M`: a number with unit K, M, G or T (powers of 1024). Errors: `invalid-argument`; `limit` outside of `limits`. */
export function parseSize(text: string, limits: SizeLimits): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([KMGT])(?:i?B)?$/i.exec(text.trim());
  const range = `${formatSize(limits.least)} to ${formatSize(limits.most)}`;
  if (match === null) {
    const bare = /^\d+$/.test(text.trim());
    throw new PolyvisorError('invalid-argument', {
      what: bare ? 'size has no unit' : 'not a size',
      which: text,
      limit: range,
      hint: bare ? `write ${text.trim()}M or ${text.trim()}G` : 'write it like 512M or 2G',
    });
  }
  const bytes = Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
  if (!Number.isInteger(bytes))
    throw new PolyvisorError('invalid-argument', { what: 'size is no whole number of bytes', which: text });
  if (bytes < limits.least || bytes > limits.most)
    throw new PolyvisorError('limit', { what: 'size is out of range', which: text, limit: range });
  return bytes;
}

/** The shortest exact form: `512M`; bytes without unit when no unit divides them. */
export function formatSize(bytes: number): string {
  const unit = (['T', 'G', 'M', 'K'] as const).find((name) => bytes > 0 && bytes % UNITS[name]! === 0);
  return unit === undefined ? String(bytes) : `${bytes / UNITS[unit]!}${unit}`;
}
