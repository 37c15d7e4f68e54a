import { describe, expect, test } from '@jest/globals';
import type { FieldDescriptor, FileDescriptor } from '@polyvisor/generate-state/descriptor';
import { generate } from './generate.ts';

function file(
  fields: readonly Partial<FieldDescriptor>[],
  extra: Partial<FileDescriptor> = {},
): FileDescriptor {
  return {
    name: 'polyvisor/sample/v1/sample_service.proto',
    package: 'polyvisor.sample.v1',
    messageType: [
      {
        name: 'Sample',
        field: fields.map((field, index) => ({
          name: 'field',
          jsonName: 'field',
          number: index + 1,
          label: 'LABEL_OPTIONAL',
          type: 'TYPE_UINT32',
          ...field,
        })),
      },
    ],
    service: [
      {
        name: 'SampleService',
        method: [
          {
            name: 'DoIt',
            inputType: '.polyvisor.sample.v1.Sample',
            outputType: '.polyvisor.sample.v1.Sample',
            serverStreaming: true,
          },
        ],
      },
    ],
    sourceCodeInfo: { location: [{ path: [6, 0, 2, 0], leadingComments: ' What it does.\n' }] },
    ...extra,
  };
}

describe('generate', () => {
  test('writes an interface, a codec and a service', () => {
    const text = generate([file([{}])]).get('sample.gen.ts') ?? '';
    expect(text).toContain('export interface Sample {\n  field: number;\n}');
    expect(text).toContain(
      "defineMessage('polyvisor.sample.v1.Sample', readSample, sizeSample, writeSample)",
    );
    expect(text).toContain(
      "  /** What it does. */\n  doIt: defineMethod('/polyvisor.sample.v1.SampleService/DoIt', false, true, Sample, Sample),",
    );
  });

  test('leaves files alone that no service names', () => {
    const { service: _service, ...rest } = file([{}]);
    expect(generate([rest]).size).toBe(0);
  });

  test('takes files that services import, under their own names', () => {
    const { service: _service, ...rest } = file([{}]);
    const part = { ...rest, name: 'polyvisor/part/v1/big_part.proto', package: 'polyvisor.part.v1' };
    const field = { type: 'TYPE_MESSAGE', typeName: '.polyvisor.part.v1.Sample' };
    const outputs = generate([file([field], { dependency: [part.name], messageType: [] }), part]);
    expect([...outputs.keys()]).toEqual(['big-part.gen.ts', 'sample.gen.ts']);
  });

  test.each([
    ['a type without use', { type: 'TYPE_SFIXED64' }, /TYPE_SFIXED64 has no place/],
    [
      'a message that holds itself',
      { type: 'TYPE_MESSAGE', typeName: '.polyvisor.sample.v1.Sample' },
      /holds itself/,
    ],
  ])('refuses %s', (_what, field, message) => {
    expect(() => generate([file([field])])).toThrow(message);
  });

  test('refuses an enum with gaps', () => {
    const enumType = [{ name: 'Kind', value: [{ name: 'KIND_UNSPECIFIED' }, { name: 'KIND_A', number: 2 }] }];
    expect(() => generate([file([{}], { enumType })])).toThrow(/numbered 0, 1, 2/);
  });
});
