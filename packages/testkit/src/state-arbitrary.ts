import fc from 'fast-check';
import { integerRange, isInteger } from '@polyvisor/proto';
import type { IntegerArray, LiveValue, StateField, StateSchema } from '@polyvisor/proto';

/** Longest varying array or byte string that is tried where the declaration sets no limit. */
const defaultLimit = 8;

/** Every state that the declaration allows, for property tests of save and load. */
export function stateArbitrary<T extends object>(schema: StateSchema<T>): fc.Arbitrary<T> {
  const entries = schema.fields.map((field) => [field.name, fieldArbitrary(field)] as const);
  // A record made here has a null prototype now and then; states are plain objects.
  return fc.record(Object.fromEntries(entries), { noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}

function fieldArbitrary(field: StateField): fc.Arbitrary<LiveValue> {
  if (!field.repeated) return elementArbitrary(field);
  const minLength = field.count ?? 0;
  const maxLength = field.count ?? field.limit ?? defaultLimit;
  const list = fc.array(elementArbitrary(field), { minLength, maxLength });
  if (field.count === undefined || !isInteger(field)) return list;
  return list.map((elements) => intoArray(field, elements));
}

function elementArbitrary(field: StateField): fc.Arbitrary<LiveValue> {
  switch (field.type) {
    case 'bool':
      return fc.boolean();
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: defaultLimit });
    case 'bytes': {
      const fixed = field.repeated ? undefined : field.count;
      const greatest = field.repeated ? defaultLimit : (field.limit ?? defaultLimit);
      return fc.uint8Array({ minLength: fixed ?? 0, maxLength: fixed ?? greatest });
    }
    case 'message':
      return stateArbitrary(field.message);
    default: {
      const { least, greatest } = integerRange(field);
      if (typeof field.reset === 'bigint') return fc.bigInt({ min: least, max: greatest });
      return fc.integer({ min: Number(least), max: Number(greatest) });
    }
  }
}

function intoArray(field: StateField & { type: string; width: number }, elements: LiveValue[]): IntegerArray {
  if (field.type === 'sint64') return BigInt64Array.from(elements as bigint[]);
  if (field.type.endsWith('64')) return BigUint64Array.from(elements as bigint[]);
  if (field.type === 'sint32') return Int32Array.from(elements as number[]);
  if (field.width <= 8) return Uint8Array.from(elements as number[]);
  return field.width <= 16 ? Uint16Array.from(elements as number[]) : Uint32Array.from(elements as number[]);
}
