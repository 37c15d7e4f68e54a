import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { get64, put64 } from './big-endian.ts';
import {
  decodeGo,
  decodeMetaContextRequest,
  decodeOption,
  decodeOptionReply,
  decodeServer,
  encodeGo,
  encodeMetaContextRequest,
  encodeOption,
  encodeOptionReply,
  encodeServer,
} from './option-codec.ts';

const text = fc
  .string({ unit: 'binary', maxLength: 30 })
  .filter((each) => each.isWellFormed() && !each.includes('\0'));
const word = fc.integer({ min: 0, max: 0xffffffff });

describe('NBD option codec', () => {
  test('numbers of 64 bits', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(9), (value, at) => {
        const bytes = new Uint8Array(20);
        put64(bytes, at, value);
        expect(get64(bytes, at)).toBe(value);
        expect(new DataView(bytes.buffer).getBigUint64(at)).toBe(BigInt(value));
      }),
    );
    expect(Number.isSafeInteger(get64(new Uint8Array(8).fill(255), 0))).toBe(false);
  });

  test('what is written is read', () => {
    fc.assert(
      fc.property(text, fc.array(text), fc.array(fc.nat(65535)), word, (name, queries, requests, type) => {
        expect(decodeGo(encodeGo({ name, requests }))).toEqual({ name, requests });
        expect(decodeMetaContextRequest(encodeMetaContextRequest({ name, queries }))).toEqual({
          name,
          queries,
        });
        const description = queries[0] === '' ? undefined : queries[0];
        expect(decodeServer(encodeServer(name, description))).toEqual({ name, description });
        const data = encodeGo({ name, requests });
        expect(decodeOption(encodeOption(type, data))).toEqual({ option: type, length: data.length });
        expect(decodeOptionReply(encodeOptionReply(type, 3, data))).toEqual({
          option: type,
          type: 3,
          length: data.length,
        });
      }),
    );
  });

  test('bytes that make no sense give nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const decode of [decodeGo, decodeMetaContextRequest, decodeServer]) decode(bytes);
      }),
      { numRuns: 2000 },
    );
    // A name that is longer than what holds it, a count that is.
    expect(decodeGo(Uint8Array.of(0, 0, 0, 9, 65, 0, 0))).toBeUndefined();
    expect(decodeGo(Uint8Array.of(0, 0, 0, 1, 65, 0, 9))).toBeUndefined();
    expect(decodeGo(Uint8Array.of(0, 0, 0, 1, 0, 0, 0))).toBeUndefined();
    expect(
      decodeMetaContextRequest(Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0)),
    ).toBeUndefined();
  });
});
