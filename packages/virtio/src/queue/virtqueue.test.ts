import { describe, expect, test } from '@jest/globals';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import type { DriverQueue, Piece } from '@polyvisor/testkit/virtio-driver/driver-queue';
import { PackedDriverQueue } from '@polyvisor/testkit/virtio-driver/packed-driver-queue';
import { SplitDriverQueue } from '@polyvisor/testkit/virtio-driver/split-driver-queue';
import fc from 'fast-check';
import type { QueueElement } from './element.ts';
import { createPackedQueue } from './packed-queue.ts';
import { createSplitQueue } from './split-queue.ts';
import type { QueuePosition, QueueViolation, Virtqueue } from './virtqueue.ts';

interface Variant {
  readonly packed: boolean;
  readonly indirect: boolean;
  readonly eventIndex: boolean;
}

const variants: Variant[] = [false, true].flatMap((packed) =>
  [false, true].flatMap((indirect) => [false, true].map((eventIndex) => ({ packed, indirect, eventIndex }))),
);

function name({ packed, indirect, eventIndex }: Variant): string {
  return [packed ? 'packed' : 'split', indirect && 'indirect', eventIndex && 'event index']
    .filter(Boolean)
    .join(', ');
}

function setup(variant: Variant, size: number, memory = new FakeMemory(1 << 22)) {
  const Driver = variant.packed ? PackedDriverQueue : SplitDriverQueue;
  const driver: DriverQueue = new Driver(memory, { size, ...variant });
  const events = { interrupts: 0, violations: [] as QueueViolation[] };
  const open = (position?: QueuePosition): Virtqueue =>
    (variant.packed ? createPackedQueue : createSplitQueue)(
      { size, ...driver.addresses, indirect: variant.indirect, eventIndex: variant.eventIndex },
      memory,
      { interrupt: () => events.interrupts++, violation: (reason) => events.violations.push(reason) },
      position,
    );
  return { memory, driver, events, open, queue: open() };
}

function readAll(element: QueueElement): Uint8Array {
  const bytes = new Uint8Array(element.readable.bytes);
  element.read(0, bytes);
  return bytes;
}

describe.each(variants.map((variant) => [name(variant), variant] as const))('%s', (_name, variant) => {
  test('carries a request there and back', () => {
    const { driver, queue, events, memory } = setup(variant, 8);
    expect(queue.pop()).toBeUndefined();
    const token = driver.add(['he', 'llo', 3, 4]);
    expect(driver.kickNeeded()).toBe(true);
    const element = queue.pop()!;
    expect(new TextDecoder().decode(readAll(element))).toBe('hello');
    expect([element.readable.count, element.writable.count, element.writable.bytes]).toEqual([2, 2, 7]);
    expect(element.write(1, Uint8Array.of(1, 2, 3, 4))).toBe(4);
    memory.writes.length = 0;
    queue.push(element, 5);
    expect(driver.poll()).toEqual({ token, written: 5, data: Uint8Array.of(0, 1, 2, 3, 4, 0, 0) });
    expect(memory.writes.slice(0, 2).map((write) => write.length)).toEqual([3, 2]);
    expect(events.interrupts).toBe(0);
    queue.signal();
    queue.signal();
    expect([events.interrupts, queue.inFlight, events.violations]).toEqual([1, 0, []]);
  });

  test('keeps order, data and notifications over many turns of the ring', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        read: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 2 }),
        write: fc.integer({ min: 1, max: 4 }),
      }),
      fc.record({ kind: fc.constant('pop' as const) }),
      fc.record({ kind: fc.constant('push' as const), which: fc.nat(7) }),
      fc.record({ kind: fc.constant('poll' as const), want: fc.boolean() }),
      fc.record({ kind: fc.constant('reopen' as const) }),
    );
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 4, 8), fc.array(step, { maxLength: 150 }), (size, steps) => {
        const s = setup(variant, size);
        let { queue } = s;
        const waiting: { token: number; sent: Uint8Array }[] = [];
        const held: { element: QueueElement; token: number }[] = [];
        const used: { token: number; written: number }[] = [];
        let wanted = true;
        let sequence = 0;
        for (const action of steps) {
          switch (action.kind) {
            case 'add': {
              const pieces: Piece[] = [
                ...action.read.map((length) => new Uint8Array(length).fill(++sequence)),
                action.write,
              ];
              if (!variant.indirect && pieces.length > size) break;
              let token: number;
              try {
                token = s.driver.add(pieces);
              } catch {
                break; // ring full
              }
              waiting.push({
                token,
                sent: Uint8Array.from(pieces.slice(0, -1).flatMap((piece) => [...(piece as Uint8Array)])),
              });
              break;
            }
            case 'pop': {
              const element = queue.pop();
              expect(s.events.violations).toEqual([]);
              expect(element === undefined).toBe(waiting.length === 0);
              if (element === undefined) break;
              const { token, sent } = waiting.shift()!;
              expect(readAll(element)).toEqual(sent);
              held.push({ element, token });
              break;
            }
            case 'push': {
              const [entry] = held.splice(action.which % Math.max(1, held.length), 1);
              if (entry === undefined) break;
              entry.element.write(0, Uint8Array.of(entry.token));
              queue.push(entry.element, 1);
              used.push({ token: entry.token, written: 1 });
              const before = s.events.interrupts;
              queue.signal();
              if (wanted) expect(s.events.interrupts).toBe(before + 1);
              else if (!variant.eventIndex) expect(s.events.interrupts).toBe(before);
              // With event index only the named entry interrupts; the driver asks again when it polls.
              if (variant.eventIndex) wanted = false;
              break;
            }
            case 'poll': {
              for (let done = s.driver.poll(); done !== undefined; done = s.driver.poll()) {
                const { token, written } = used.shift()!;
                expect([done.token, done.written, done.data[0]]).toEqual([token, written, token & 0xff]);
              }
              expect(used).toEqual([]);
              s.driver.wantInterrupt(action.want);
              wanted = action.want;
              break;
            }
            case 'reopen':
              if (held.length > 0) break;
              queue = s.open(queue.position());
          }
        }
        expect(s.memory.guardsIntact).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('asks for a notification exactly when it has nothing to do', () => {
    const { driver, queue } = setup(variant, 4);
    expect(queue.pop()).toBeUndefined();
    driver.add([1]);
    expect(driver.kickNeeded()).toBe(true);
    const first = queue.pop()!;
    driver.add([1]);
    // Not asked for yet: with event index the device knows that it will look again.
    expect(driver.kickNeeded()).toBe(!variant.eventIndex);
    queue.push(first, 0);
    queue.push(queue.pop()!, 0);
    expect(queue.pop()).toBeUndefined();
    driver.poll();
    driver.add([1]);
    expect(driver.kickNeeded()).toBe(true);
  });

  test('returns several requests at once', () => {
    const { driver, queue } = setup(variant, 4);
    for (let turn = 0; turn < 7; turn++) {
      const tokens = [driver.add([2]), driver.add([2]), driver.add([2])];
      const elements = [queue.pop()!, queue.pop()!, queue.pop()!];
      elements.forEach((element, index) => element.write(0, Uint8Array.of(turn, index)));
      queue.pushTogether(elements, [2, 1, 2], 3);
      expect(
        [driver.poll(), driver.poll(), driver.poll()].map((done) => [done?.token, done?.written]),
      ).toEqual([
        [tokens[0], 2],
        [tokens[1], 1],
        [tokens[2], 2],
      ]);
    }
  });

  test('takes back a pop', () => {
    const { driver, queue } = setup(variant, 4);
    for (let turn = 0; turn < 9; turn++) {
      driver.add([`${turn}`, 1, 1]);
      queue.undoPop(queue.pop()!);
      expect(queue.inFlight).toBe(0);
      const element = queue.pop()!;
      expect(readAll(element)).toEqual(new TextEncoder().encode(`${turn}`));
      queue.push(element, 0);
      expect(driver.poll()?.token).toBe(turn);
    }
  });

  test('cuts elements off when it is closed', () => {
    const { driver, queue, memory } = setup(variant, 4);
    driver.add(['x', 4]);
    const element = queue.pop()!;
    queue.close();
    const before = memory.bytes.slice();
    expect(element.write(0, Uint8Array.of(9))).toBe(0);
    expect(element.read(0, new Uint8Array(1))).toBe(0);
    queue.push(element, 4);
    queue.signal();
    expect(queue.pop()).toBeUndefined();
    expect(Buffer.compare(before, memory.bytes)).toBe(0);
  });

  test('survives any content of the rings', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 60 }), fc.nat(), (pokes, seed) => {
        const size = 8;
        const s = setup(variant, size);
        for (let count = 0; count < 3; count++) s.driver.add(['abc', 5]);
        // Also plausible values: small ones in high bytes give addresses and lengths that are nearly right.
        const parts = [
          { gpa: s.driver.addresses.descriptors, length: 16 * size },
          { gpa: s.driver.addresses.driver, length: variant.packed ? 4 : 6 + 2 * size },
          { gpa: s.driver.addresses.device, length: variant.packed ? 4 : 6 + 8 * size },
        ];
        const poke = (): void => {
          for (const [where, value] of pokes) {
            const part = parts[where % parts.length]!;
            s.memory.at(part.gpa, part.length)[((where >>> 2) + seed) % part.length] = value;
          }
        };
        poke();
        for (let turn = 0; turn < 3 * size; turn++) {
          const element = s.queue.pop();
          if (element === undefined) break;
          readAll(element);
          element.write(0, new Uint8Array(Math.min(element.writable.bytes, 64)));
          if (turn % 2 === 0) s.queue.push(element, Math.min(element.writable.bytes, 64));
          s.queue.signal();
          if (turn % 5 === 0) poke();
        }
        expect(s.events.violations.length).toBeLessThanOrEqual(1);
        expect(s.queue.dead).toBe(s.events.violations.length === 1);
        expect(s.queue.inFlight).toBeLessThanOrEqual(size);
        expect(s.memory.guardsIntact).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

describe('violations', () => {
  const split: Variant = { packed: false, indirect: true, eventIndex: false };
  const packed: Variant = { packed: true, indirect: true, eventIndex: false };

  function violation(
    variant: Variant,
    spoil: (s: ReturnType<typeof setup>, descriptor: number) => void,
  ): QueueViolation | undefined {
    const s = setup(variant, 4);
    const add = { ...variant, indirect: false };
    const Driver = variant.packed ? PackedDriverQueue : SplitDriverQueue;
    const driver = new Driver(s.memory, { size: 4, ...add });
    const queue = (variant.packed ? createPackedQueue : createSplitQueue)(
      { size: 4, ...driver.addresses, indirect: variant.indirect, eventIndex: false },
      s.memory,
      { interrupt: () => {}, violation: (reason) => s.events.violations.push(reason) },
    );
    driver.add(['ab', 2]);
    spoil({ ...s, driver }, driver.addresses.descriptors);
    expect(queue.pop()).toBeUndefined();
    expect(queue.dead).toBe(true);
    return s.events.violations[0];
  }

  const flagsAt = (variant: Variant): number => (variant.packed ? 14 : 12);
  const addFlags =
    (variant: Variant, flags: number, index = 0) =>
    (s: ReturnType<typeof setup>, descriptor: number) => {
      const at = descriptor + 16 * index + flagsAt(variant);
      s.memory.setU16(at, s.memory.u16(at) | flags);
    };

  test.each([split, packed])('in a descriptor: %j', (variant) => {
    expect(violation(variant, (s, at) => s.memory.setU32(at + 8, 0))).toBe('empty buffer');
    expect(violation(variant, (s, at) => s.memory.setU32(at, 0x1000))).toBe('buffer address');
    expect(violation(variant, (s, at) => s.memory.setU32(at + 4, 0xffff_ffff))).toBe('buffer address');
    expect(violation(variant, (s, at) => s.memory.setU32(at + 8, 0xffff_ffff))).toBe('buffer address');
    expect(
      violation(variant, (s, at) => {
        addFlags(variant, 2)(s, at);
        const second = at + 16 + flagsAt(variant);
        s.memory.setU16(second, s.memory.u16(second) & ~2);
      }),
    ).toBe('readable after writable');
    expect(violation(variant, addFlags(variant, 4))).toBe('indirect with next');
    expect(violation({ ...variant, indirect: false }, addFlags(variant, 4))).toBe('indirect not negotiated');
  });

  test('in a split ring', () => {
    expect(violation(split, (s) => s.memory.setU16(s.driver.addresses.driver + 2, 5))).toBe(
      'available index',
    );
    expect(violation(split, (s) => s.memory.setU16(s.driver.addresses.driver + 4, 4))).toBe('head index');
    expect(violation(split, (s, at) => s.memory.setU16(at + 14, 4))).toBe('next index');
    const loop = violation(split, (s, at) => {
      s.memory.setU16(at + 14, 0);
    });
    expect(loop).toBe('chain too long');
    expect(violation(split, addFlags(split, 4, 1))).toBe('indirect table size');
  });

  test('in a packed ring', () => {
    expect(
      violation(packed, (s, at) => {
        for (const index of [1, 2, 3]) {
          s.memory.setU64(at + 16 * index, s.driver.addresses.descriptors);
          s.memory.setU32(at + 16 * index + 8, 1);
          s.memory.setU16(at + 16 * index + 14, 3);
        }
      }),
    ).toBe('chain too long');
    expect(violation(packed, addFlags(packed, 4, 1))).toBe('indirect with next');
  });

  test('in the setup', () => {
    const memory = new FakeMemory();
    for (const [descriptors, size] of [
      [0, 4],
      [0x8000_0008, 4],
      [0x8000_0000, 3],
      [0x8000_0000, 0],
    ] as const) {
      const reasons: string[] = [];
      const queue = createSplitQueue(
        { size, descriptors, driver: 0x8000_1000, device: 0x8000_2000, eventIndex: false, indirect: false },
        memory,
        { interrupt: () => {}, violation: (reason) => reasons.push(reason) },
      );
      expect([queue.dead, reasons, queue.pop()]).toEqual([true, ['queue address'], undefined]);
    }
  });

  test('the same buffers again before they were used', () => {
    const s = setup({ packed: false, indirect: false, eventIndex: false }, 2);
    s.driver.add([1]);
    s.driver.add([1]);
    s.queue.pop();
    s.queue.pop();
    s.memory.setU16(s.driver.addresses.driver + 2, 4);
    expect(s.queue.pop()).toBeUndefined();
    expect(s.events.violations).toEqual(['too many in flight']);
  });
});
