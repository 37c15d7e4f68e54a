import { describe, expect, test } from '@jest/globals';
import type { FieldDescriptor, FileDescriptor } from './descriptor.ts';
import { generate } from './generate.ts';

function file(
  fields: readonly Partial<FieldDescriptor>[],
  extra: Partial<FileDescriptor> = {},
): FileDescriptor {
  return {
    name: 'polyvisor/device/v1/example.proto',
    package: 'polyvisor.device.v1',
    dependency: ['polyvisor/state/v1/options.proto'],
    messageType: [
      {
        name: 'ExampleState',
        field: fields.map((field, index) => ({
          name: 'field',
          jsonName: 'field',
          number: index + 1,
          label: 'LABEL_OPTIONAL',
          type: 'TYPE_UINT32',
          proto3Optional: true,
          ...field,
        })),
      },
    ],
    sourceCodeInfo: {
      location: fields.map((_field, index) => ({
        path: [4, 0, 2, index],
        leadingComments: ' What it is.\n',
      })),
    },
    ...extra,
  };
}

const options = (values: Record<string, unknown>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`[polyvisor.state.v1.${name}]`, value]));

describe('generate', () => {
  test('writes an interface and a schema', () => {
    const text = generate(
      [file([{ type: 'TYPE_UINT64', options: options({ reset: '18446744073709551615' }) }])],
      1,
    ).get('example.gen.ts');
    expect(text).toContain('  /** What it is. */\n  field: bigint;');
    expect(text).toContain("type: 'uint64', width: 64, reset: 18446744073709551615n, since: 1 }");
  });

  test('leaves files alone that have neither state options nor a state', () => {
    expect(generate([file([{}], { dependency: [] })], 1).size).toBe(1);
    expect(generate([file([{}], { dependency: [], messageType: [{ name: 'Request' }] })], 1).size).toBe(0);
  });

  test.each([
    ['a field without presence', { proto3Optional: false }, /must be optional/],
    [
      'a reset value that does not fit',
      { options: options({ width: 4, reset: '16' }) },
      /reset 16 does not fit 4 bits/,
    ],
    ['a width beyond the type', { options: options({ width: 33 }) }, /width is 33, not 1 to 32/],
    ['a version that does not exist yet', { options: options({ since: 2 }) }, /since is 2/],
    ['a type that a state can not hold', { type: 'TYPE_DOUBLE' }, /TYPE_DOUBLE has no place/],
    [
      'a message which is no state',
      { type: 'TYPE_MESSAGE', typeName: '.other.Thing' },
      /\.other\.Thing is no state/,
    ],
    [
      'a state that holds itself',
      { type: 'TYPE_MESSAGE', typeName: '.polyvisor.device.v1.ExampleState' },
      /holds itself/,
    ],
  ])('refuses %s', (_what, field, message) => {
    expect(() => generate([file([field])], 1)).toThrow(message);
  });

  test('refuses a field without a comment', () => {
    expect(() => generate([file([{}], { sourceCodeInfo: {} })], 1)).toThrow(/a comment above it/);
  });
});
