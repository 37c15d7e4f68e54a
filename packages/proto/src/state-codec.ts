import { PolyvisorError } from '@polyvisor/contracts';
import type { ErrorCode } from '@polyvisor/contracts';
import { integerRange, isInteger, resetElement, resetValue } from './state-field.ts';
import type { IntegerArray, LiveObject, LiveValue, StateField } from './state-field.ts';
import { sameValue } from './state-value.ts';
import type { WireReader } from './wire.ts';
import { WireType, WireWriter } from './wire.ts';

/**
 * Writes every field that a reader of `version` knows, in order of field number. Equal objects give
 * equal bytes.
 * @param path names the object in errors: `SerialState`.
 */
export function encodeFields(
  fields: readonly StateField[],
  live: LiveObject,
  version: number,
  path: string,
): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter();
  for (const field of fields) {
    const value = live[field.name];
    const at = `${path}.${field.name}`;
    if (value === undefined) throw failure('internal', at, 'the live object lacks it');
    if (field.since > version) {
      if (!sameValue(value, resetValue(field))) {
        throw failure(
          'unsupported',
          at,
          `version ${version} has no such field, and it is not at its reset value`,
        );
      }
      continue;
    }
    if (field.repeated) encodeRepeated(writer, field, value, version, at);
    else encodeOne(writer, field, value, version, at);
  }
  return writer.finish();
}

/**
 * Reads what {@link encodeFields} wrote, or what any protobuf writer made of the same message. Absent fields
 * take their reset value.
 */
export function decodeFields(
  fields: readonly StateField[],
  reader: WireReader,
  unknownFields: 'reject' | 'ignore',
  path: string,
): LiveObject {
  const live: LiveObject = {};
  for (const field of fields) live[field.name] = resetValue(field);
  const lists = new Map<StateField, LiveValue[]>();
  while (!reader.done) {
    const { fieldNumber, wireType } = reader.tag();
    const field = fields.find((candidate) => candidate.number === fieldNumber);
    if (field === undefined) {
      if (unknownFields === 'reject') {
        throw failure(
          'unsupported',
          `${path}, field ${fieldNumber}`,
          'unknown here: a newer version wrote it',
        );
      }
      reader.skip(wireType);
      continue;
    }
    const at = `${path}.${field.name}`;
    if (!field.repeated) {
      live[field.name] = decodeOne(reader, field, wireType, unknownFields, at);
      continue;
    }
    const list = lists.get(field) ?? [];
    lists.set(field, list);
    // Scalars may come packed or one by one; a conforming reader takes both.
    if (wireType === WireType.bytes && wireTypeOf(field) !== WireType.bytes) {
      const packed = reader.nested();
      while (!packed.done) list.push(decodeOne(packed, field, wireTypeOf(field), unknownFields, at));
    } else {
      list.push(decodeOne(reader, field, wireType, unknownFields, at));
    }
    checkLength('corrupt', field, list.length, at, 'partial');
  }
  for (const [field, list] of lists) {
    const at = `${path}.${field.name}`;
    checkLength('corrupt', field, list.length, at, 'whole');
    live[field.name] = fill(field, list);
  }
  return live;
}

function encodeRepeated(
  writer: WireWriter,
  field: StateField,
  value: LiveValue,
  version: number,
  at: string,
): void {
  const elements = value as IntegerArray | LiveValue[];
  checkLength('internal', field, elements.length, at, 'whole');
  if (elements.length === 0) return;
  if (wireTypeOf(field) === WireType.bytes) {
    for (const element of elements) encodeOne(writer, field, element, version, at);
    return;
  }
  const packed = new WireWriter();
  for (const element of elements) encodeScalar(packed, field, element, at);
  writer.tag(field.number, WireType.bytes);
  writer.bytes(packed.finish());
}

function encodeOne(
  writer: WireWriter,
  field: StateField,
  value: LiveValue,
  version: number,
  at: string,
): void {
  writer.tag(field.number, wireTypeOf(field));
  switch (field.type) {
    case 'message':
      writer.bytes(field.message.encode(value as object, { version, path: at }));
      return;
    case 'bytes':
      if (!field.repeated) checkLength('internal', field, (value as Uint8Array).length, at, 'whole');
      writer.bytes(value as Uint8Array);
      return;
    case 'string':
      writer.string(value as string);
      return;
    default:
      encodeScalar(writer, field, value, at);
  }
}

function encodeScalar(writer: WireWriter, field: StateField, value: LiveValue, at: string): void {
  if (isInteger(field)) checkRange('internal', field, value as number | bigint, at);
  switch (field.type) {
    case 'bool':
      writer.varint32(value === true ? 1 : 0);
      return;
    case 'uint32':
      writer.varint32(value as number);
      return;
    case 'sint32':
      writer.varint32((((value as number) << 1) ^ ((value as number) >> 31)) >>> 0);
      return;
    case 'fixed32':
      writer.fixed32(value as number);
      return;
    case 'uint64':
      writer.varint64(value as bigint);
      return;
    case 'sint64':
      writer.varint64(BigInt.asUintN(64, ((value as bigint) << 1n) ^ ((value as bigint) >> 63n)));
      return;
    case 'fixed64':
      writer.fixed64(value as bigint);
      return;
    default:
      throw failure('internal', at, `${field.type} is no scalar`);
  }
}

function decodeOne(
  reader: WireReader,
  field: StateField,
  wireType: number,
  unknownFields: 'reject' | 'ignore',
  at: string,
): LiveValue {
  if (wireType !== wireTypeOf(field))
    throw failure('corrupt', at, `wire type ${wireType}, not ${wireTypeOf(field)}`);
  switch (field.type) {
    case 'message':
      return decodeFields(field.message.fields, reader.nested(), unknownFields, at);
    case 'bytes': {
      const bytes = reader.bytes();
      if (!field.repeated) checkLength('corrupt', field, bytes.length, at, 'whole');
      return bytes.slice();
    }
    case 'string':
      return reader.string();
    case 'bool':
      return reader.varint64() !== 0n;
    default: {
      const value = decodeInteger(reader, field.type);
      checkRange('corrupt', field, value, at);
      return value;
    }
  }
}

function decodeInteger(reader: WireReader, type: string): number | bigint {
  switch (type) {
    case 'fixed32':
      return reader.fixed32();
    case 'sint32': {
      const value = reader.varint32();
      return (value >>> 1) ^ -(value & 1);
    }
    case 'uint64':
      return reader.varint64();
    case 'sint64': {
      const value = reader.varint64();
      return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    case 'fixed64':
      return reader.fixed64();
    default:
      return reader.varint32();
  }
}

/** Puts decoded elements into the kind of array that a reset makes. */
function fill(field: StateField, list: LiveValue[]): LiveValue {
  const target = resetValue(field);
  if (Array.isArray(target)) return list;
  const array = target as IntegerArray;
  list.forEach((element, index) => {
    array[index] = element as never;
  });
  return array;
}

function wireTypeOf(field: StateField): number {
  switch (field.type) {
    case 'message':
    case 'bytes':
    case 'string':
      return WireType.bytes;
    case 'fixed32':
      return WireType.fixed32;
    case 'fixed64':
      return WireType.fixed64;
    default:
      return WireType.varint;
  }
}

function checkRange(
  code: ErrorCode,
  field: StateField & { width: number },
  value: number | bigint,
  at: string,
): void {
  if (typeof value !== typeof resetElement(field)) throw failure(code, at, `a ${typeof value}`);
  const { least, greatest } = integerRange(field);
  if (typeof value === 'number' && !Number.isInteger(value))
    throw failure(code, at, `${value} is no integer`);
  if (value < least || value > greatest) throw failure(code, at, `${value} does not fit ${field.width} bits`);
}

function checkLength(
  code: ErrorCode,
  field: StateField,
  length: number,
  at: string,
  state: 'partial' | 'whole',
): void {
  const most = field.count ?? field.limit;
  if (most !== undefined && length > most) throw failure(code, at, `${length} long, at most ${most}`);
  if (state === 'whole' && field.count !== undefined && length !== field.count) {
    throw failure(code, at, `${length} long, must be ${field.count}`);
  }
}

function failure(code: ErrorCode, which: string, limit: string): PolyvisorError {
  const what = code === 'corrupt' ? 'saved state contradicts its declaration' : "state can't be converted";
  return new PolyvisorError(code, { what, which, limit });
}
