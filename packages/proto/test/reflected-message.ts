import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import type { MessageCodec } from '../src/index.ts';
import * as block from '../src/service/block.gen.ts';
import * as cpu from '../src/service/cpu.gen.ts';
import * as device from '../src/service/device.gen.ts';
import * as health from '../src/service/health.gen.ts';
import * as node from '../src/service/node.gen.ts';
import * as reflection from '../src/service/reflection.gen.ts';
import * as section from '../src/service/section.gen.ts';

const folder = join(import.meta.dirname, '../../../proto');

/** The .proto files as protobufjs understands them: the other opinion that codecs are compared with. */
export const root = new protobuf.Root();
root.resolvePath = (_origin, target) => (target.startsWith('/') ? target : join(folder, target));
root.loadSync(
  [
    'grpc/health/v1/health.proto',
    'grpc/reflection/v1/reflection.proto',
    'polyvisor/block/v1/block_service.proto',
    'polyvisor/cpu/v1/vmm_service.proto',
    'polyvisor/device/v1/device_service.proto',
    'polyvisor/node/v1/node_service.proto',
  ].map((path) => join(folder, path)),
);
root.resolveAll();

/** Every generated codec by full name. */
export const codecs: ReadonlyMap<string, MessageCodec<unknown, unknown>> = new Map(
  [block, cpu, device, health, node, reflection, section]
    .flatMap((area) => Object.values(area) as unknown[])
    .filter((value): value is MessageCodec<unknown, unknown> => isCodec(value))
    .map((codec) => [codec.name, codec]),
);

function isCodec(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'decode' in value;
}

/** A message as protobufjs' `fromObject` takes it, with nothing at its default left out or put in at random. */
export function messageArbitrary(type: protobuf.Type): fc.Arbitrary<Record<string, unknown>> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of type.fieldsArray) {
    const oneof = field.partOf;
    if (oneof !== null && oneof !== undefined && !isSynthetic(oneof)) continue;
    const value = valueArbitrary(field);
    if (field instanceof protobuf.MapField)
      members[field.name] = fc.dictionary(fc.string({ unit: 'binary' }), value, { maxKeys: 4 });
    else if (field.repeated) members[field.name] = fc.array(value, { maxLength: 4 });
    else members[field.name] = fc.option(value, { nil: undefined });
  }
  const oneofs = type.oneofsArray
    .filter((oneof) => !isSynthetic(oneof))
    .map((oneof) =>
      fc.oneof(
        fc.constant({}),
        ...oneof.fieldsArray.map((field) => valueArbitrary(field).map((value) => ({ [field.name]: value }))),
      ),
    );
  return fc
    .tuple(fc.record(members), ...oneofs)
    .map((parts) => Object.assign({}, ...parts) as Record<string, unknown>);
}

function isSynthetic(oneof: protobuf.OneOf): boolean {
  return oneof.fieldsArray[0]?.options?.['proto3_optional'] === true || oneof.name.startsWith('_');
}

function valueArbitrary(field: protobuf.Field): fc.Arbitrary<unknown> {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return messageArbitrary(type);
  if (type instanceof protobuf.Enum) return fc.constantFrom(...Object.values(type.values));
  const numbers: Record<string, fc.Arbitrary<unknown>> = {
    uint32: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff })),
    fixed32: fc.integer({ min: 0, max: 0xffff_ffff }),
    int32: fc.integer(),
    uint64: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
    double: fc.double(),
    bool: fc.boolean(),
    string: fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 80 })),
    bytes: fc.uint8Array({ maxLength: 100 }),
  };
  const found = numbers[field.type];
  if (found === undefined) throw new Error(`${field.fullName}: no values of ${field.type}`);
  return found;
}

/** The same message as a generated codec decodes it. */
export function expected(type: protobuf.Type, message: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const oneof of type.oneofsArray) {
    if (isSynthetic(oneof)) continue;
    const name = oneof.name.replaceAll(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
    const field = oneof.fieldsArray.find((candidate) => message[candidate.name] !== undefined);
    result[name] =
      field === undefined
        ? { case: undefined, value: undefined }
        : { case: field.name, value: expectedValue(field, message[field.name]) };
  }
  for (const field of type.fieldsArray) {
    const value = message[field.name];
    const oneof = field.partOf;
    if (oneof !== null && oneof !== undefined && !isSynthetic(oneof)) continue;
    if (field instanceof protobuf.MapField) {
      const entries = Object.entries((value ?? {}) as object);
      result[field.name] = new Map(entries.map(([key, item]) => [key, expectedValue(field, item)]));
    } else if (field.repeated) {
      result[field.name] = ((value ?? []) as unknown[]).map((item) => expectedValue(field, item));
    } else if (value !== undefined) {
      result[field.name] = expectedValue(field, value);
    } else if (field.resolvedType instanceof protobuf.Type || (oneof !== null && oneof !== undefined)) {
      result[field.name] = undefined;
    } else {
      result[field.name] = expectedValue(field, absent(field));
    }
  }
  return result;
}

function absent(field: protobuf.Field): unknown {
  if (field.type === 'bytes') return new Uint8Array(0);
  if (field.type === 'string') return '';
  return field.type === 'bool' ? false : 0;
}

function expectedValue(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Type) return expected(type, value as Record<string, unknown>);
  if (type instanceof protobuf.Enum) {
    const prefix = `${type.name.replaceAll(/(?<=[a-z])[A-Z]/g, '_$&').toUpperCase()}_`;
    const name = type.valuesById[value as number] ?? '';
    return name.replace(prefix, '').toLowerCase().replaceAll('_', '-');
  }
  return value;
}
