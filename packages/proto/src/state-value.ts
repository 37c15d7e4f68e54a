import { resetValue } from './state-field.ts';
import type { IntegerArray, LiveObject, LiveValue, StateField } from './state-field.ts';

/** Deep equality of two live values. */
export function sameValue(left: LiveValue, right: LiveValue): boolean {
  if (typeof left !== 'object' || typeof right !== 'object') return left === right;
  if (isArrayLike(left) || isArrayLike(right)) {
    if (!isArrayLike(left) || !isArrayLike(right) || left.length !== right.length) return false;
    for (let index = 0; index < left.length; index++) {
      if (!sameValue(left[index] as LiveValue, right[index] as LiveValue)) return false;
    }
    return true;
  }
  const keys = Object.keys(left);
  return keys.every((key) =>
    sameValue((left as LiveObject)[key] as LiveValue, (right as LiveObject)[key] as LiveValue),
  );
}

/**
 * Copies every field in place: typed arrays, nested objects and arrays of the target keep their identity, so
 * that whoever holds one keeps seeing the state.
 */
export function copyFields(fields: readonly StateField[], target: LiveObject, source: LiveObject): void {
  for (const field of fields) {
    const from = source[field.name] as LiveValue;
    const to = target[field.name] as LiveValue;
    if (field.type === 'message' && !field.repeated) {
      copyFields(field.message.fields, to as LiveObject, from as LiveObject);
    } else if (Array.isArray(to)) {
      copyArray(field, to as LiveValue[], from as LiveValue[]);
    } else if (ArrayBuffer.isView(to) && (to as IntegerArray).length === (from as IntegerArray).length) {
      (to as Uint8Array).set(from as Uint8Array);
    } else {
      target[field.name] = copyElement(field, from);
    }
  }
}

function copyArray(field: StateField, target: LiveValue[], source: readonly LiveValue[]): void {
  target.length = Math.min(target.length, source.length);
  source.forEach((element, index) => {
    const existing = target[index];
    if (field.type === 'message' && existing !== undefined) {
      copyFields(field.message.fields, existing as LiveObject, element as LiveObject);
    } else {
      target[index] = copyElement(field, element);
    }
  });
}

function copyElement(field: StateField, value: LiveValue): LiveValue {
  if (field.type === 'message') {
    const copy: LiveObject = {};
    for (const inner of field.message.fields) copy[inner.name] = resetValue(inner);
    copyFields(field.message.fields, copy, value as LiveObject);
    return copy;
  }
  return ArrayBuffer.isView(value) ? (value as Uint8Array).slice() : value;
}

function isArrayLike(value: object): value is ArrayLike<unknown> {
  return Array.isArray(value) || ArrayBuffer.isView(value);
}
