import { describe, expect, test } from '@jest/globals';
import type { MmioDevice, StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import fc from 'fast-check';
import type { FakeMemory } from '../virtio-driver/fake-memory.ts';

/** A device on fakes. Two of them, made one after the other, behave alike. */
export interface DeviceUnderTest {
  readonly device: MmioDevice;
  /** For devices that reach guest memory. */
  readonly memory?: FakeMemory;
  /** Lets the outside world act: input arrives, time passes. The same on every device made. */
  readonly stir?: () => void;
}

/** How much of a window is poked most: registers lie at its beginning. */
const REGISTERS_BYTES = 0x140;

/** One access of the guest, or something from outside. */
export type Poke =
  | { readonly kind: 'read'; readonly offset: number; readonly width: number }
  | { readonly kind: 'write'; readonly offset: number; readonly width: number; readonly value: number }
  | { readonly kind: 'stir' };

/** Random register accesses, aligned, more often to where registers are. */
export function pokes(size: number): fc.Arbitrary<Poke[]> {
  const place = fc
    .tuple(
      fc.oneof({ weight: 9, arbitrary: fc.nat(Math.min(size, REGISTERS_BYTES) - 4) }, fc.nat(size - 4)),
      fc.constantFrom(1, 2, 4),
    )
    .map(([offset, width]) => ({ offset: offset - (offset % width), width }));
  const value = fc.oneof(
    fc.nat(255),
    fc.integer({ min: 0, max: 0xffff_ffff }),
    fc.constantFrom(0x5555, 0x3333, 15, 3),
  );
  const read = place.map((at): Poke => ({ kind: 'read', ...at }));
  const write = fc.tuple(place, value).map(([at, written]): Poke => ({
    kind: 'write',
    ...at,
    value: (written & (2 ** (8 * at.width) - 1)) >>> 0,
  }));
  return fc.array(
    fc.oneof(
      { weight: 3, arbitrary: read },
      { weight: 5, arbitrary: write },
      fc.constant<Poke>({ kind: 'stir' }),
    ),
    {
      maxLength: 60,
    },
  );
}

/** Does the accesses, as a bus does them. @returns what the reads gave. */
export async function poke({ device, stir }: DeviceUnderTest, steps: readonly Poke[]): Promise<number[]> {
  const values: number[] = [];
  for (const step of steps) {
    if (step.kind === 'stir') stir?.();
    else if (step.kind === 'write') {
      const { offset, width, value } = step;
      if (device.writeLater === undefined) device.write(offset, width, value);
      else await device.writeLater(offset, width, value);
    } else if (device.readLater === undefined) values.push(device.read(step.offset, step.width));
    else values.push(await device.readLater(step.offset, step.width));
  }
  return values;
}

/** A saved state, comparable. */
export function sameSection(section: StateSection): string {
  return `${section.type} ${section.version} ${[...section.bytes].join()}`;
}

/** State of a device that stands still for it. */
async function saved({ device }: DeviceUnderTest): Promise<StateSection> {
  await device.quiesce();
  return device.save();
}

/** Lets a device that stands still take over a state: one that is elsewhere says only afterwards that it can't. */
async function load({ device }: DeviceUnderTest, section: StateSection): Promise<void> {
  await device.quiesce();
  device.load(section);
  await device.quiesce();
}

/**
 * What every device promises, as tests: `describeDevice('serial', create)` in the device's package.
 * A virtio device takes `describeVirtioDevice` too.
 * @param size of its window; needed where `create` takes a while.
 */
export function describeDevice(
  name: string,
  create: () => DeviceUnderTest | Promise<DeviceUnderTest>,
  size = sizeOf(create()),
): void {
  describe(`${name}: what every device promises`, () => {
    test('register accesses never throw, reads fit their width, memory outside RAM stays as it was', async () => {
      await fc.assert(
        fc.asyncProperty(pokes(size), async (steps) => {
          const under = await create();
          const reads = steps.filter((step) => step.kind === 'read');
          (await poke(under, steps)).forEach((value, index) => {
            const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * reads[index]!.width);
            expect([value, fits]).toEqual([value, true]);
          });
          await saved(under);
          expect(under.memory?.guardsIntact ?? true).toBe(true);
        }),
      );
    });

    test('a reset leaves nothing of what was', async () => {
      await fc.assert(
        fc.asyncProperty(pokes(size), async (steps) => {
          const fresh = await create();
          fresh.device.reset();
          const under = await create();
          await poke(under, steps);
          // As a machine does it: what waits outside comes in only after it resumes.
          await under.device.quiesce();
          under.device.reset();
          expect(sameSection(await saved(under))).toBe(sameSection(await saved(fresh)));
        }),
      );
    });

    test('a saved state loads into another one, which then behaves alike', async () => {
      await fc.assert(
        fc.asyncProperty(pokes(size), pokes(size), async (before, after) => {
          const first = await create();
          await poke(first, before);
          const section = await saved(first);
          const second = await create();
          await load(second, section);
          expect(sameSection(second.device.save())).toBe(sameSection(section));
          // Input that came before the save stays with the first one's backend: what follows must not depend on it.
          const guest = after.filter((step) => step.kind !== 'stir');
          first.device.resume();
          second.device.resume();
          if (before.every((step) => step.kind !== 'stir'))
            expect(await poke(second, guest)).toEqual(await poke(first, guest));
        }),
        { numRuns: 50 },
      );
    });

    test('a corrupt state is refused, and the device is then as after a reset', async () => {
      const reset = await create();
      reset.device.reset();
      const fresh = await saved(reset);
      const refused = async (section: StateSection): Promise<void> => {
        const under = await create();
        await poke(under, [{ kind: 'write', offset: 0, width: 4, value: 1 }]);
        try {
          await load(under, section);
        } catch (error) {
          expect(error).toBeInstanceOf(PolyvisorError);
          expect(['corrupt', 'unsupported']).toContain((error as PolyvisorError).code);
          expect(sameSection(await saved(under))).toBe(sameSection(fresh));
          return;
        }
        await saved(under);
      };
      await fc.assert(
        fc.asyncProperty(
          pokes(size),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
          fc.nat(),
          async (steps, flips, cut) => {
            const under = await create();
            await poke(under, steps);
            const { bytes, ...rest } = await saved(under);
            const spoiled = bytes.slice(0, cut % (bytes.length + 8));
            for (const [at, value] of flips) if (spoiled.length > 0) spoiled[at % spoiled.length] = value;
            await refused({ ...rest, bytes: spoiled });
          },
        ),
      );
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), (bytes) => refused({ ...fresh, bytes })),
      );
      const alien = { ...fresh, type: 'polyvisor.device.v1.Alien' };
      await expect(load(await create(), alien)).rejects.toThrow(PolyvisorError);
    });

    test('quiesces, resumes and closes, more than once', async () => {
      const under = await create();
      await under.device.quiesce();
      await under.device.quiesce();
      under.stir?.();
      under.device.resume();
      under.device.resume();
      await under.device.close();
      await under.device.close();
    });
  });
}

function sizeOf(under: DeviceUnderTest | Promise<DeviceUnderTest>): number {
  if ('device' in under) return under.device.size;
  throw new Error('the size of a device that takes a while to make must be told');
}
