import { describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import fc from 'fast-check';
import type protobuf from 'protobufjs';
import { elementLimit } from '../src/index.ts';
import { AttachRequest, Operation, Operations, blockService } from '../src/service/block.gen.ts';
import { VirtioDescription } from '../src/service/device.gen.ts';
import { ListVmsRequest, Vm, VmSpec } from '../src/service/node.gen.ts';
import { codecs, expected, messageArbitrary, root } from './reflected-message.ts';

function code(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof PolyvisorError) return error.code;
    throw error;
  }
  return undefined;
}

function plain(type: protobuf.Type, bytes: Uint8Array): unknown {
  return type.toObject(type.decode(bytes), { longs: Number, bytes: Array, defaults: true });
}

const names = [...codecs.keys()].sort();

test('every message of the services has a codec', () => {
  const reflected: string[] = [];
  const visit = (namespace: protobuf.NamespaceBase): void => {
    for (const inner of namespace.nestedArray) {
      if ('fieldsArray' in inner) reflected.push(inner.fullName.slice(1));
      if ('nestedArray' in inner) visit(inner as protobuf.NamespaceBase);
    }
  };
  visit(root);
  expect(names).toEqual(reflected.sort());
});

describe.each(names)('%s', (name) => {
  const type = root.lookupType(name);
  const codec = codecs.get(name);
  if (codec === undefined) throw new Error(name);

  test('reads what protobufjs writes, and the other way round', () => {
    fc.assert(
      fc.property(messageArbitrary(type), (message) => {
        const theirs = type.encode(type.fromObject(message)).finish();
        const decoded = codec.decode(theirs);
        expect(decoded).toEqual(expected(type, message));
        const ours = codec.encode(decoded);
        expect(plain(type, ours)).toEqual(plain(type, theirs));
        expect(codec.decode(ours)).toEqual(decoded);
      }),
      { numRuns: 40 },
    );
  });

  test('survives any bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc
        .tuple(messageArbitrary(type), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
        .map(([message, changes, cut]) => {
          const encoded = Uint8Array.from(type.encode(type.fromObject(message)).finish());
          for (const [at, value] of changes) if (encoded.length > 0) encoded[at % encoded.length] = value;
          return encoded.subarray(0, encoded.length - (cut % 3 === 0 ? cut % (encoded.length + 1) : 0));
        }),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        const failure = code(() => codec.encode(codec.decode(input)));
        expect(failure === undefined || failure === 'corrupt').toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

describe('decoding', () => {
  test('gives views into the message', () => {
    const bytes = Operation.encode({ id: 1, data: Uint8Array.of(7, 8, 9) });
    const { data } = Operation.decode(bytes);
    expect([...data]).toEqual([7, 8, 9]);
    expect(data.buffer).toBe(bytes.buffer);
  });

  test.each([
    ['a number above 2^53', [0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
    ['a 32-bit number above 2^32', [0x20, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['a varint of eleven bytes', [0x20, ...Array<number>(10).fill(0x80), 0]],
    ['a varint that ends early', [0x20, 0x80]],
    ['a length beyond the end', [0x2a, 5, 1]],
    ['a length near 2^32', [0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['half a fixed32', [0x0d, 1, 2]],
    ['field number 0', [0x00, 0x00]],
    ['a group', [0x7b, 0x7c]],
    ['an unknown field beyond the end', [0x7a, 5]],
  ])('refuses %s', (_what, bytes) => {
    expect(code(() => Operation.decode(Uint8Array.from(bytes)))).toBe('corrupt');
  });

  test('refuses text that is no UTF-8, long and short', () => {
    expect(code(() => VmSpec.decode(Uint8Array.of(10, 1, 0xff)))).toBe('corrupt');
    const long = Uint8Array.of(10, 60, ...Array<number>(59).fill(65), 0xc3);
    expect(code(() => VmSpec.decode(long))).toBe('corrupt');
  });

  test('keeps a nested message within itself', () => {
    // The inner message claims four bytes, and its own field five.
    expect(code(() => AttachRequest.decode(Uint8Array.of(10, 4, 18, 5, 1, 1, 1, 1, 1)))).toBe('corrupt');
  });

  test('skips unknown fields and takes unknown values of enums as the first', () => {
    const bytes = Uint8Array.of(0x10, 99, 0xf8, 7, 5, 0x20, 6, 0x7a, 2, 1, 1);
    expect(Operation.decode(bytes)).toMatchObject({ kind: 'unspecified', length: 6 });
    const negative = Uint8Array.of(0x10, ...Array<number>(9).fill(0xff), 1);
    expect(Operation.decode(negative).kind).toBe('unspecified');
  });

  test('a field of another wire type is unknown', () => {
    expect(Operation.decode(Uint8Array.of(0x22, 1, 5)).length).toBe(0);
  });

  test('takes packed and single values of a repeated number', () => {
    expect(VirtioDescription.decode(Uint8Array.of(0x22, 2, 1, 2, 0x20, 3)).queueSizes).toEqual([1, 2, 3]);
  });

  test('limits how much a message can make of two bytes', () => {
    const bytes = new Uint8Array(2 * (elementLimit + 1));
    for (let index = 0; index < bytes.length; index += 2) bytes[index] = 10;
    expect(Operations.decode(bytes.subarray(2)).operations).toHaveLength(elementLimit);
    expect(code(() => Operations.decode(bytes))).toBe('corrupt');
  });

  test('a name of every object is a key like any other', () => {
    const bytes = ListVmsRequest.encode({ labels: new Map([['__proto__', 'x']]) });
    expect([...ListVmsRequest.decode(bytes).labels]).toEqual([['__proto__', 'x']]);
  });
});

describe('encoding', () => {
  test.each([{ length: -1 }, { length: 2 ** 32 }, { length: 1.5 }, { offset: 2 ** 53 }, { offset: NaN }])(
    'refuses %p',
    (message) => {
      expect(code(() => Operation.encode(message))).toBe('invalid-argument');
      // What failed leaves nothing behind.
      expect([...Operation.encode({ length: 1 })]).toEqual([0x20, 1]);
    },
  );

  test('tells an optional zero from none', () => {
    expect(Vm.decode(Vm.encode({ exitStatus: 0 })).exitStatus).toBe(0);
    expect(Vm.decode(Vm.encode({})).exitStatus).toBeUndefined();
  });
});

test('methods are as gRPC takes them', () => {
  expect(blockService.attach).toMatchObject({
    path: '/polyvisor.block.v1.BlockService/Attach',
    requestStream: true,
    responseStream: true,
  });
  expect(Buffer.isBuffer(blockService.open.requestSerialize({ volume: 'a' }))).toBe(true);
});
