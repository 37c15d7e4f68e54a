import { describe, expect, test } from '@jest/globals';
import { stateArbitrary } from '@polyvisor/testkit/state-arbitrary';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { defineState } from './define-state.ts';
import type { StateField } from './state-field.ts';
import { serialState } from './state/serial.gen.ts';

interface QueueState {
  size: number;
  address: bigint;
}
const queueState = defineState<QueueState>('test.v1.QueueState', [
  { name: 'size', number: 1, type: 'uint32', width: 16, reset: 256, since: 1 },
  { name: 'address', number: 2, type: 'uint64', width: 64, reset: 0n, since: 1 },
]);

interface EveryState {
  word: number;
  signed: number;
  wide: bigint;
  wideSigned: bigint;
  fixed: number;
  fixedWide: bigint;
  flag: boolean;
  mac: Uint8Array;
  name: string;
  registers: BigUint64Array;
  prescalers: Uint8Array;
  pending: number[];
  queue: QueueState;
  queues: QueueState[];
  log: QueueState[];
  flags: boolean[];
  later: number;
}
const everyFields: readonly StateField[] = [
  { name: 'word', number: 1, type: 'uint32', width: 32, reset: 0xffff_ffff, since: 1 },
  { name: 'signed', number: 2, type: 'sint32', width: 32, reset: 0, since: 1 },
  { name: 'wide', number: 3, type: 'uint64', width: 64, reset: 0xffff_ffff_ffff_ffffn, since: 1 },
  { name: 'wideSigned', number: 4, type: 'sint64', width: 64, reset: 0n, since: 1 },
  { name: 'fixed', number: 5, type: 'fixed32', width: 32, reset: 0, since: 1 },
  { name: 'fixedWide', number: 6, type: 'fixed64', width: 48, reset: 0n, since: 1 },
  { name: 'flag', number: 7, type: 'bool', reset: true, since: 1 },
  { name: 'mac', number: 8, type: 'bytes', since: 1, count: 6 },
  { name: 'name', number: 9, type: 'string', since: 1 },
  { name: 'registers', number: 10, type: 'uint64', width: 64, reset: 7n, since: 1, repeated: true, count: 4 },
  { name: 'prescalers', number: 11, type: 'uint32', width: 8, reset: 1, since: 1, repeated: true, count: 3 },
  { name: 'pending', number: 12, type: 'uint32', width: 5, reset: 0, since: 1, repeated: true, limit: 20 },
  { name: 'queue', number: 13, type: 'message', since: 1, message: queueState },
  { name: 'queues', number: 14, type: 'message', since: 1, repeated: true, count: 2, message: queueState },
  { name: 'log', number: 15, type: 'message', since: 1, repeated: true, limit: 3, message: queueState },
  { name: 'flags', number: 16, type: 'bool', reset: false, since: 1, repeated: true, count: 2 },
  { name: 'later', number: 200, type: 'uint32', width: 8, reset: 9, since: 2 },
];
const everyState = defineState<EveryState>('test.v1.EveryState', everyFields);
const olderState = defineState<EveryState>('test.v1.EveryState', everyFields.slice(0, -1));

const everyProto = `
syntax = "proto3";
message QueueState { optional uint32 size = 1; optional uint64 address = 2; }
message EveryState {
  optional uint32 word = 1; optional sint32 signed = 2; optional uint64 wide = 3; optional sint64 wideSigned = 4;
  optional fixed32 fixed = 5; optional fixed64 fixedWide = 6; optional bool flag = 7; optional bytes mac = 8;
  optional string name = 9; repeated uint64 registers = 10; repeated uint32 prescalers = 11;
  repeated uint32 pending = 12; optional QueueState queue = 13; repeated QueueState queues = 14;
  repeated QueueState log = 15; repeated bool flags = 16; optional uint32 later = 200;
}`;

describe('the live object', () => {
  test('starts with reset values', () => {
    const state = serialState.create();
    expect(state.lsr).toBe(0x60);
    expect(state.rxFifo).toEqual(new Uint8Array());
    const every = everyState.create();
    expect(every.registers).toEqual(new BigUint64Array(4).fill(7n));
    expect(every.queues).toEqual([queueState.create(), queueState.create()]);
    expect(every.wide).toBe(0xffff_ffff_ffff_ffffn);
  });

  test('reset, copy and load keep the identity of arrays and nested objects', () => {
    fc.assert(
      fc.property(stateArbitrary(everyState), stateArbitrary(everyState), (state, other) => {
        const { registers, queues, queue } = state;
        const firstQueue = queues[0];
        everyState.copy(state, other);
        expect(everyState.equal(state, other)).toBe(true);
        everyState.load(state, everyState.encode(other));
        expect(everyState.equal(state, other)).toBe(true);
        everyState.reset(state);
        expect(state).toEqual(everyState.create());
        expect(state.registers).toBe(registers);
        expect(state.queue).toBe(queue);
        expect(state.queues).toBe(queues);
        expect(state.queues[0]).toBe(firstQueue);
      }),
    );
  });

  test('a copy shares nothing with its source', () => {
    const source = everyState.create();
    source.log.push(queueState.create());
    source.mac = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const copy = everyState.create();
    everyState.copy(copy, source);
    source.log[0]!.size = 1;
    source.mac[0] = 99;
    expect(copy.log[0]!.size).toBe(256);
    expect(copy.mac[0]).toBe(1);
  });
});

describe('the codec', () => {
  test('round-trips every state, the same bytes each time', () => {
    fc.assert(
      fc.property(stateArbitrary(everyState), (state) => {
        const bytes = everyState.encode(state);
        const decoded = everyState.decode(bytes);
        expect(decoded).toEqual(state);
        expect(everyState.encode(decoded)).toEqual(bytes);
      }),
    );
  });

  test('writes what protobufjs reads, and reads what it writes', () => {
    const type = protobuf.parse(everyProto, { keepCase: true }).root.lookupType('EveryState');
    fc.assert(
      fc.property(stateArbitrary(everyState), (state) => {
        const bytes = everyState.encode(state);
        const theirs = type.decode(bytes);
        const plain = type.toObject(theirs, { longs: String });
        expect(plain['signed']).toBe(state.signed);
        expect(plain['wideSigned']).toBe(String(state.wideSigned));
        expect(plain['fixedWide']).toBe(String(state.fixedWide));
        expect(plain['registers']).toEqual([...state.registers].map(String));
        expect(everyState.decode(type.encode(theirs).finish())).toEqual(state);
      }),
      { numRuns: 50 },
    );
  });

  test('an absent field takes its reset value', () => {
    expect(everyState.decode(new Uint8Array())).toEqual(everyState.create());
  });

  test('damaged bytes give a state or a corrupt/unsupported error, nothing else', () => {
    fc.assert(
      fc.property(stateArbitrary(everyState), fc.nat(), fc.nat(255), fc.nat(), (state, at, value, cut) => {
        const bytes = everyState.encode(state);
        bytes[at % bytes.length] = value;
        try {
          const damaged = everyState.decode(bytes.subarray(0, cut % (bytes.length + 1)));
          everyState.encode(damaged);
        } catch (error) {
          expect(error).toMatchObject({
            name: 'PolyvisorError',
            code: expect.stringMatching(/^(corrupt|unsupported)$/),
          });
        }
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['an integer wider than declared', [0x08, 0x10], /SerialState\.ier.*16 does not fit 4 bits/],
    [
      'more bytes than the limit',
      [0x52, 17, ...new Array<number>(17).fill(0)],
      /rxFifo.*17 long, at most 16/,
    ],
    ['another wire type', [0x0d, 0, 0, 0, 0], /ier.*wire type 5, not 0/],
    ['a length beyond the end', [0x52, 0xff, 0xff, 0xff, 0x0f], /33554431 bytes wanted, 0 left/],
    ['field number 0', [0x00], /field number 0/],
    ['an endless varint', new Array<number>(11).fill(0xff), /longer than 10 bytes/],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => serialState.decode(Uint8Array.from(bytes))).toThrow(message);
  });

  test('load changes nothing when it throws', () => {
    const state = serialState.create();
    expect(() => serialState.load(state, Uint8Array.of(0x10, 0x01, 0x08, 0x10))).toThrow();
    expect(state).toEqual(serialState.create());
  });

  test('a live value outside its declaration is our bug and says so', () => {
    const state = serialState.create();
    state.ier = 0x1f;
    expect(() => serialState.encode(state)).toThrow(/ier.*31 does not fit 4 bits/);
  });
});

describe('versions', () => {
  test('a schema is as new as its newest field', () => {
    expect(everyState.version).toBe(2);
    expect(olderState.version).toBe(1);
  });

  test('an older reader gets what it knows, if nothing is lost', () => {
    const state = everyState.create();
    expect(olderState.decode(everyState.encode(state, { version: 1 }))).toEqual(olderState.create());
    state.later = 1;
    expect(() => everyState.encode(state, { version: 1 })).toThrow(/EveryState\.later.*version 1/);
  });

  test('a newer writer is refused unless told otherwise', () => {
    const bytes = everyState.encode(everyState.create());
    expect(() => olderState.decode(bytes)).toThrow(/field 200.*a newer version wrote it/);
    expect(olderState.decode(bytes, { unknownFields: 'ignore' })).toEqual(olderState.create());
  });
});
