import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FAKE_RAM_GPA, FakeMemory } from '../virtio-driver/fake-memory.ts';
import { VirtioDriver } from '../virtio-driver/virtio-driver.ts';
import type { VirtioDriverOptions } from '../virtio-driver/virtio-driver.ts';
import type { DeviceUnderTest } from './device-compliance.ts';
import { sameSection } from './device-compliance.ts';

/** A virtio device on the given memory; `packed` rings must be offered. */
export type CreateVirtioDevice = (
  memory: FakeMemory,
) => Omit<DeviceUnderTest, 'memory'> | Promise<Omit<DeviceUnderTest, 'memory'>>;

const MEMORY_BYTES = 1 << 19;
const QUEUE_SIZE = 8;

/** Changes one field of a descriptor of the request that was just made. */
interface Spoil {
  readonly which: number;
  /** Of the descriptor's 16 bytes. */
  readonly at: number;
  readonly width: 2 | 4;
  /** What is xored into the field, or put there. */
  readonly flip: boolean;
  readonly value: number;
}

/** What a hostile driver does next. */
type Attack =
  | {
      readonly kind: 'request';
      readonly queue: number;
      readonly read: readonly Uint8Array[];
      readonly write: readonly number[];
      readonly spoils: readonly Spoil[];
    }
  | {
      readonly kind: 'ring';
      readonly queue: number;
      readonly part: number;
      readonly at: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'memory'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'register'; readonly offset: number; readonly value: number }
  | { readonly kind: 'notify'; readonly queue: number }
  | { readonly kind: 'settle' }
  | { readonly kind: 'stir' };

/** Headers that look like a request's: small little-endian numbers. */
const header = fc
  .array(fc.oneof({ weight: 3, arbitrary: fc.nat(15) }, fc.constantFrom(0xffff_ffff, 0x8000_0000, 512)), {
    minLength: 1,
    maxLength: 6,
  })
  .map((words) => new Uint8Array(Uint32Array.from(words).buffer));
const anyBytes = fc.uint8Array({ minLength: 1, maxLength: 40 });

const END = FAKE_RAM_GPA + MEMORY_BYTES;
const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  // Addresses at the edges of RAM, below and above it; lengths that reach beyond; flags; next and id.
  fc.record({
    which: fc.nat(8),
    at: fc.constant(0),
    width: fc.constant(4 as const),
    flip: fc.constant(false),
    value: fc.constantFrom(0, 1, FAKE_RAM_GPA - 8, FAKE_RAM_GPA, END - 8, END - 1, END, 0xffff_ffff),
  }),
  fc.record({
    which: fc.nat(8),
    at: fc.constant(4),
    width: fc.constant(4 as const),
    flip: fc.constant(false),
    value: fc.constantFrom(1, 0xffff_ffff),
  }),
  fc.record({
    which: fc.nat(8),
    at: fc.constant(8),
    width: fc.constant(4 as const),
    flip: fc.constant(false),
    value: fc.constantFrom(0, 1, 16, 48, 600, MEMORY_BYTES, 0xffff_ffff),
  }),
  fc.record({
    which: fc.nat(8),
    at: fc.constantFrom(12, 14),
    width: fc.constant(2 as const),
    flip: fc.constant(true),
    value: fc.integer({ min: 1, max: 7 }),
  }),
  fc.record({
    which: fc.nat(8),
    at: fc.constantFrom(12, 14),
    width: fc.constant(2 as const),
    flip: fc.constant(false),
    value: fc.oneof(fc.nat(QUEUE_SIZE), fc.nat(0xffff)),
  }),
);

function attacks(queues: number): fc.Arbitrary<Attack[]> {
  const queue = fc.nat(queues - 1);
  const attack: fc.Arbitrary<Attack> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('request' as const),
        queue,
        read: fc.array(fc.oneof(header, anyBytes), { maxLength: 3 }),
        write: fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(513)), { maxLength: 3 }),
        spoils: fc.oneof(fc.constant([]), fc.array(spoil, { minLength: 1, maxLength: 2 })),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('ring' as const),
        queue,
        part: fc.nat(2),
        at: fc.nat(16 * QUEUE_SIZE),
        bytes: fc.oneof(header, anyBytes),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('memory' as const),
        at: fc.nat(MEMORY_BYTES - 64),
        bytes: anyBytes,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('register' as const),
        offset: fc.nat(0x110 / 4).map((word) => word * 4),
        value: fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 0xffff_ffff })),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('notify' as const), queue }) },
    { weight: 1, arbitrary: fc.constant<Attack>({ kind: 'settle' }) },
    { weight: 1, arbitrary: fc.constant<Attack>({ kind: 'stir' }) },
  );
  return fc.array(attack, { minLength: 1, maxLength: 40 });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function run(
  under: Omit<DeviceUnderTest, 'memory'>,
  driver: VirtioDriver,
  steps: readonly Attack[],
): Promise<void> {
  const { memory } = driver;
  for (const step of steps) {
    switch (step.kind) {
      case 'request':
        request(driver, step);
        break;
      case 'ring': {
        const { descriptors, driver: avail, device } = driver.queues[step.queue]!.addresses;
        const gpa =
          [descriptors, avail, device][step.part]! + (step.at % (step.part === 0 ? 16 * QUEUE_SIZE : 20));
        memory.at(gpa, step.bytes.length).set(step.bytes);
        break;
      }
      case 'memory':
        memory.at(FAKE_RAM_GPA + step.at, step.bytes.length).set(step.bytes);
        break;
      case 'register':
        driver.device.write(step.offset, 4, step.value);
        break;
      case 'notify':
        driver.notify(step.queue);
        break;
      case 'settle':
        await turn();
        break;
      case 'stir':
        under.stir?.();
    }
  }
}

function request(driver: VirtioDriver, step: Attack & { readonly kind: 'request' }): void {
  const { memory } = driver;
  const queue = driver.queues[step.queue]!;
  if (step.read.length + step.write.length === 0) return;
  try {
    queue.add([...step.read, ...step.write]);
  } catch {
    return; // the ring or the memory is full
  }
  for (const { which, at, width, flip, value } of step.spoils) {
    const gpa = queue.placed[which % queue.placed.length]! + at;
    if (width === 4) memory.setU32(gpa, value);
    else memory.setU16(gpa, flip ? memory.u16(gpa) ^ value : value);
  }
  driver.notify(step.queue);
}

/** Ways in which the suite differs between devices. */
export interface VirtioComplianceOptions {
  /** How many queues the device has. */
  readonly queues: number;
  /** Whether packed rings are offered. Default true. */
  readonly packed?: boolean;
}

/** What a virtio device promises against a hostile driver, as tests. */
export function describeVirtioDevice(
  name: string,
  { queues, packed = true }: VirtioComplianceOptions,
  create: CreateVirtioDevice,
): void {
  const variants: VirtioDriverOptions[] = [
    {},
    { indirect: true, eventIndex: true },
    ...(packed ? [{ packed: true }, { packed: true, indirect: true, eventIndex: true }] : []),
  ];

  describe.each(variants.map((variant) => [JSON.stringify(variant), variant] as const))(
    `${name}: what every virtio device promises, with %s`,
    (_label, variant) => {
      test('a hostile driver never makes it throw, hang or leave RAM, and a reset heals it', async () => {
        await fc.assert(
          fc.asyncProperty(attacks(queues), async (steps) => {
            const memory = new FakeMemory(MEMORY_BYTES);
            const under = await create(memory);
            const options = { ...variant, queueSize: QUEUE_SIZE };
            await run(under, new VirtioDriver(under.device, memory, options), steps);
            await turn();
            under.device.reset();
            await turn();
            expect(
              new VirtioDriver(under.device, new FakeMemory(), { ...options, queueSize: 4 }).status & ~64,
            ).toBe(15);
            expect(memory.guardsIntact).toBe(true);
            await under.device.quiesce();
          }),
          { numRuns: 40 },
        );
      });

      test('in the middle of anything, its state loads into another one', async () => {
        await fc.assert(
          fc.asyncProperty(attacks(queues), async (steps) => {
            const memory = new FakeMemory(MEMORY_BYTES);
            const first = await create(memory);
            const driver = new VirtioDriver(first.device, memory, { ...variant, queueSize: QUEUE_SIZE });
            await run(
              first,
              driver,
              steps.filter((step) => step.kind !== 'register'),
            );
            await first.device.quiesce();
            const section = first.device.save();
            const second = await create(memory);
            await second.device.quiesce();
            second.device.load(section);
            expect(sameSection(second.device.save())).toBe(sameSection(section));
            second.device.resume();
            await second.device.quiesce();
            expect(memory.guardsIntact).toBe(true);
          }),
          { numRuns: 25 },
        );
      });
    },
  );
}
