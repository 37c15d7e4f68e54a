import { PolyvisorError } from '@polyvisor/contracts';
import type { DriverOption, OptionValues } from './driver.ts';
import type { Json, OptionValue } from './format-node.ts';

const SIZE = /^(\d+(?:\.\d+)?)([bBkKmMgGtTpPeE]?)$/;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
  e: 2 ** 60,
};
const WORDS: Readonly<Record<string, boolean>> = {
  on: true,
  yes: true,
  true: true,
  off: false,
  no: false,
  false: false,
};

/**
 * Checks and converts options as users give them; fills in defaults.
 * @param known what the driver takes. @param of the driver's name, for errors.
 * @throws PolyvisorError `invalid-argument`: an unknown name or a wrong value.
 */
export function parseOptionValues(
  known: readonly DriverOption[],
  given: { readonly [name: string]: Json | undefined },
  of: string,
): OptionValues {
  const values: Record<string, OptionValue> = {};
  for (const { name, default: value } of known) if (value !== undefined) values[name] = value;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    const option = known.find((each) => each.name === name);
    if (option === undefined) {
      throw new PolyvisorError('invalid-argument', {
        what: `${of} has no option`,
        which: name,
        hint: `known: ${known.map((each) => each.name).join(', ')}`,
      });
    }
    values[name] = parseOptionValue(option, value, of);
  }
  return values;
}

function parseOptionValue(option: DriverOption, value: Json, of: string): OptionValue {
  const parsed = convert(option, value);
  if (parsed !== undefined) return parsed;
  throw new PolyvisorError('invalid-argument', {
    what: `wrong value for ${of} option ${option.name}`,
    which: typeof value === 'object' ? JSON.stringify(value) : String(value),
    limit: typeof option.type === 'string' ? `wants a ${option.type}` : `one of ${option.type.join(', ')}`,
  });
}

function convert({ type }: DriverOption, value: Json): OptionValue | undefined {
  if (typeof type !== 'string') return typeof value === 'string' && type.includes(value) ? value : undefined;
  if (type === 'string') return typeof value === 'object' ? undefined : String(value);
  if (type === 'boolean') {
    if (typeof value === 'boolean') return value;
    return typeof value === 'string' && Object.hasOwn(WORDS, value) ? WORDS[value] : undefined;
  }
  const number = typeof value === 'number' ? value : typeof value === 'string' ? numberOf(type, value) : NaN;
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

function numberOf(type: 'size' | 'number', text: string): number {
  return type === 'size' ? parseByteSize(text) : /^(\d+|0x[\da-fA-F]+)$/.test(text) ? Number(text) : NaN;
}

/** Bytes of `1.5G`, `512k`, `4096`, `0x1000`; NaN for what isn't a size. */
export function parseByteSize(text: string): number {
  if (/^0x[\da-fA-F]+$/.test(text)) return Number(text);
  const found = SIZE.exec(text);
  if (found === null) return NaN;
  const bytes = Number(found[1]) * UNITS[found[2]!.toLowerCase()]!;
  return Math.floor(bytes);
}
