import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { HEADER_BYTES } from '../protocol.ts';
import type { FieldKind, FieldValues } from './fields.ts';
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from './message-codec.ts';
import type { ReplyName, RequestName, Shape } from './messages.ts';
import { replies, requests } from './messages.ts';

const byteText = fc.uint8Array({ maxLength: 300 }).map((bytes) => String.fromCharCode(...bytes));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const qid = fc.record({ type: fc.nat(255), version: fc.nat(0xffff_ffff), path: u64 });

const arbitraries: { readonly [Kind in FieldKind]: fc.Arbitrary<FieldValues[Kind]> } = {
  u8: fc.nat(0xff),
  u16: fc.nat(0xffff),
  u32: fc.nat(0xffff_ffff),
  u64,
  string: byteText,
  strings: fc.array(byteText, { maxLength: 20 }),
  qid,
  qids: fc.array(qid, { maxLength: 20 }),
  data: fc.uint8Array({ maxLength: 2000 }),
};

function bodies(fields: Shape): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(
    Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, arbitraries[kind]])),
  );
}

const tag = fc.nat(0xffff);
const room = new Uint8Array(64 * 1024);

describe('messages', () => {
  test('no two have one number', () => {
    const types = [...Object.values(requests), ...Object.values(replies)].map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    for (const [name, { type }] of Object.entries(requests)) {
      expect(replies[name.replace('T', 'R') as ReplyName].type).toBe(type + 1);
    }
  });

  test.each(Object.keys(requests) as RequestName[])('%s comes back as it went', (name) => {
    fc.assert(
      fc.property(tag, bodies(requests[name].fields), fc.nat(50), (number, body, beyond) => {
        const size = encodeRequest(name, number, body as never, room);
        // What follows the message is not its business.
        const decoded = decodeRequest(room.subarray(0, size + beyond));
        expect(decoded).toEqual({ name, tag: number, body });
        expect(decodeRequest(room.subarray(0, size - 1))).toBeUndefined();
        expect(encodeRequest(name, number, body as never, new Uint8Array(size - 1))).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test.each(Object.keys(replies) as ReplyName[])('%s comes back as it went', (name) => {
    fc.assert(
      fc.property(tag, bodies(replies[name].fields), (number, body) => {
        const size = encodeReply(name, number, body as never, room);
        expect(decodeReply(room.subarray(0, size))).toEqual({ name, tag: number, body });
      }),
      { numRuns: 30 },
    );
  });

  test('one byte more or less in the size is no message', () => {
    const size = encodeRequest('Twalk', 1, { fid: 1, newfid: 2, names: ['a', 'bc'] }, room);
    const message = room.slice(0, size + 1);
    for (const claimed of [0, HEADER_BYTES - 1, size - 1, size + 1, size + 2, 0xffff_ffff]) {
      new DataView(message.buffer).setUint32(0, claimed, true);
      expect(decodeRequest(message)).toBeUndefined();
    }
  });

  test('counts that lie cost nothing', () => {
    const size = encodeRequest('Twalk', 1, { fid: 1, newfid: 2, names: [] }, room);
    const message = room.slice(0, size);
    new DataView(message.buffer).setUint16(size - 2, 0xffff, true);
    expect(decodeRequest(message)).toBeUndefined();
  });

  test('garbage never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, sized) => {
        if (sized && bytes.length >= 4) new DataView(bytes.buffer).setUint32(0, bytes.length, true);
        decodeRequest(bytes);
        decodeReply(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});
