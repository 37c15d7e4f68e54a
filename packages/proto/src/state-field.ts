import type { StateSchema } from './define-state.ts';

/** Integer types of the wire whose live value is a number. */
export type NumberType = 'uint32' | 'fixed32' | 'sint32';
/** Integer types of the wire whose live value is a bigint. */
export type BigintType = 'uint64' | 'fixed64' | 'sint64';

interface FieldBase {
  /** Name in the live object (camelCase). */
  readonly name: string;
  /** Number on the wire. */
  readonly number: number;
  /** State version that brought the field; older states lack it. */
  readonly since: number;
  readonly repeated?: true;
  /** Exact number of elements (repeated) or bytes (`bytes`). */
  readonly count?: number;
  /** Greatest number of elements or bytes, where `count` is absent. */
  readonly limit?: number;
}

/** One field of a state as the generator writes it. */
export type StateField =
  | (FieldBase & { readonly type: NumberType; readonly width: number; readonly reset: number })
  | (FieldBase & { readonly type: BigintType; readonly width: number; readonly reset: bigint })
  | (FieldBase & { readonly type: 'bool'; readonly reset: boolean })
  | (FieldBase & { readonly type: 'bytes' | 'string' })
  | (FieldBase & { readonly type: 'message'; readonly message: StateSchema<object> });

/** Arrays that a `repeated` field with a `count` may live in. */
export type IntegerArray =
  Uint8Array | Uint16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array;

/** A field's value in a live object. */
export type LiveValue = number | bigint | boolean | string | IntegerArray | unknown[] | object;

/** The live object, seen without its type. */
export type LiveObject = Record<string, LiveValue>;

/** True for fields whose elements are integers (numbers or bigints). */
export function isInteger(
  field: StateField,
): field is StateField & { type: NumberType | BigintType; width: number; reset: number | bigint } {
  return 'width' in field;
}

/** Least and greatest value of an integer field, by its type's sign and its width. */
export function integerRange(field: { type: string; width: number }): { least: bigint; greatest: bigint } {
  const width = BigInt(field.width);
  if (field.type.startsWith('s'))
    return { least: -(1n << (width - 1n)), greatest: (1n << (width - 1n)) - 1n };
  return { least: 0n, greatest: (1n << width) - 1n };
}

/** A field's value after a reset. Every call makes fresh arrays and objects. */
export function resetValue(field: StateField): LiveValue {
  if (field.repeated) {
    const count = field.count ?? 0;
    if (field.count !== undefined && isInteger(field)) return resetArray(field, count);
    return Array.from({ length: count }, () => resetElement(field));
  }
  return resetElement(field);
}

/** One element's value after a reset. */
export function resetElement(field: StateField): LiveValue {
  switch (field.type) {
    case 'bytes':
      return new Uint8Array(field.repeated ? 0 : (field.count ?? 0));
    case 'string':
      return '';
    case 'message':
      return field.message.create();
    default:
      return field.reset;
  }
}

function resetArray(
  field: StateField & { width: number; reset: number | bigint },
  count: number,
): IntegerArray {
  if (typeof field.reset === 'bigint') {
    const array = field.type === 'sint64' ? new BigInt64Array(count) : new BigUint64Array(count);
    return array.fill(field.reset);
  }
  return newNumberArray(field.type, field.width, count).fill(field.reset);
}

function newNumberArray(
  type: string,
  width: number,
  count: number,
): Uint8Array | Uint16Array | Uint32Array | Int32Array {
  if (type === 'sint32') return new Int32Array(count);
  if (width <= 8) return new Uint8Array(count);
  return width <= 16 ? new Uint16Array(count) : new Uint32Array(count);
}
