import { PolyvisorError } from '@polyvisor/contracts';
import { nearest } from '../cli/nearest.ts';

/** A structured value: `first` is the part without a key; every key may hold several values. */
export interface KeyValues {
  readonly first?: string;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** Which keys a structured option knows, and which of them may be repeated. */
export interface KeySpec {
  readonly keys: readonly string[];
  readonly repeat?: readonly string[];
}

/**
 * Parses `first,key=value,switch`. Two commas stand for one; a key alone means `on`.
 * Only the first part may lack a key (when it is no known key). Errors: `invalid-argument`.
 */
export function parseKeyValues(text: string, spec: KeySpec): KeyValues {
  const parts = text.split(/(?<!,)((?:,,)*),(?!,)/).reduce<string[]>((all, part, index) => {
    if (index % 2 === 0) all.push(part);
    else all[all.length - 1] += part;
    return all;
  }, []);
  const values = new Map<string, string[]>();
  let first: string | undefined;
  parts.forEach((raw, index) => {
    const part = raw.replaceAll(',,', ',');
    const equals = part.indexOf('=');
    const key = equals < 0 ? part : part.slice(0, equals);
    if (index === 0 && !spec.keys.includes(key) && (equals < 0 || /[/.]/.test(key))) {
      first = part;
      return;
    }
    addValue(values, key, equals < 0 ? 'on' : part.slice(equals + 1), spec);
  });
  return { ...(first === undefined ? {} : { first }), values };
}

/** The same from a mapping of a configuration file. */
export function keyValuesOfMapping(mapping: Readonly<Record<string, unknown>>, spec: KeySpec): KeyValues {
  const values = new Map<string, string[]>();
  for (const [key, value] of Object.entries(mapping)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      addValue(values, key, item === true ? 'on' : item === false ? 'off' : String(item), spec);
    }
  }
  return { values };
}

/** The only value of a key. */
export function single(pairs: KeyValues, key: string): string | undefined {
  return pairs.values.get(key)?.[0];
}

/** A switch's state. Errors: `invalid-argument`. */
export function switchOf(pairs: KeyValues, key: string, otherwise: boolean): boolean {
  const value = single(pairs, key);
  if (value === undefined) return otherwise;
  if (/^(on|yes|true)$/.test(value)) return true;
  if (/^(off|no|false)$/.test(value)) return false;
  throw new PolyvisorError('invalid-argument', { what: `${key} is neither on nor off`, which: value });
}

/** A value out of a fixed set. Errors: `invalid-argument` with the nearest one. */
export function choiceOf<T extends string>(what: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const near = nearest(value, choices);
  throw new PolyvisorError('invalid-argument', {
    what: `unknown ${what}`,
    which: value === '' ? '(empty)' : value,
    limit: `one of ${choices.join(', ')}`,
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

function addValue(values: Map<string, string[]>, key: string, value: string, spec: KeySpec): void {
  if (!spec.keys.includes(key)) {
    const near = nearest(key, spec.keys);
    throw new PolyvisorError('invalid-argument', {
      what: 'unknown key',
      which: key === '' ? '(empty)' : key,
      limit: `keys: ${spec.keys.join(', ')}`,
      ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
    });
  }
  const before = values.get(key);
  if (before !== undefined && !spec.repeat?.includes(key))
    throw new PolyvisorError('invalid-argument', { what: 'key given more than once', which: key });
  values.set(key, [...(before ?? []), value]);
}
