import { describe, expect, test } from '@jest/globals';
import { createClockHandle, createSharedClock } from '@polyvisor/clock';
import type { InterruptLine, MmioDevice, StateSection } from '@polyvisor/contracts';
import { silentLogger } from '@polyvisor/contracts';
import { createGoldfishRtc, createSerial } from '@polyvisor/devices';
import { AttachRequest, AttachResponse } from '@polyvisor/proto/service/device';
import { describeDevice } from '@polyvisor/testkit/device-compliance/device-compliance';
import { FakeCharBackend } from '@polyvisor/testkit/device-compliance/fake-char-backend';
import { FakeClock } from '@polyvisor/testkit/device-compliance/fake-clock';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { messagePipe } from '@polyvisor/testkit/message-pipe';
import fc from 'fast-check';
import type { HostStream, OwnerStream, SharedHostSide } from './index.ts';
import { attachDeviceGroup, createDeviceHost, RING_BYTES } from './index.ts';
import { openDirect } from './shared/direct-registers.ts';
import { serveMailboxes } from './shared/mailbox-server.ts';
import type { MailboxDevice } from './shared/mailbox-server.ts';
import {
  MAIL_ANSWER,
  MAIL_DEVICE,
  MAIL_IS_WRITE,
  MAIL_KIND,
  MAIL_OFFSET,
  MAIL_REQUEST,
  MAIL_RESULT,
  MAIL_VALUE,
  mailboxAt,
} from './shared/layout.ts';
import { StateRecord } from './shared/state-record.ts';

interface Made {
  readonly device: MmioDevice;
  readonly stir?: () => void;
}

/** Devices with registers on fakes, by name. */
const models: Record<string, (line: InterruptLine) => Made> = {
  serial(line) {
    const backend = new FakeCharBackend();
    let stirs = 0;
    const device = createSerial({ name: 'device0' }, { line, clock: new FakeClock(), backend });
    return { device, stir: () => void backend.type(`input ${stirs++}`) };
  },
  'goldfish-rtc'(line) {
    return { device: createGoldfishRtc({ name: 'device0' }, { line, clock: new FakeClock() }) };
  },
};

const clock = createSharedClock(createClockHandle('wall'));

/** The device behind messages. */
async function inMessages(model: (line: InterruptLine) => Made, line: InterruptLine): Promise<Made> {
  const host = createDeviceHost({ vm: 'test', logger: silentLogger });
  const { device, stir } = model(host.line('device0'));
  host.add({ kind: 'registers', name: 'device0', device });
  const pipe = messagePipe(AttachRequest, AttachResponse);
  void host.attach(pipe.b as HostStream);
  const group = await attachDeviceGroup(pipe.a as OwnerStream, 1, {
    vm: 'test',
    clock,
    line: () => line,
    logger: silentLogger,
  });
  const [placed] = group.devices;
  if (placed?.kind !== 'registers') throw new Error('no registers');
  return { device: placed.device, ...(stir === undefined ? {} : { stir }) };
}

/** The device behind a mailbox for accesses, and messages for the rest. */
async function inMailbox(
  model: (line: InterruptLine) => Made,
  line: InterruptLine,
): Promise<Made & { attachAgain(): Promise<void> }> {
  const rings = new Int32Array(new SharedArrayBuffer(RING_BYTES));
  let doorbell = (): void => {};
  const side: SharedHostSide = {
    rings,
    open: () => {
      throw new Error('no device here looks at memory');
    },
    onDoorbell(callback) {
      doorbell = callback;
    },
    usedBuffers() {},
    lineChanged() {},
    close() {},
  };
  const host = createDeviceHost({
    vm: 'test',
    logger: silentLogger,
    shared: { ...side, open: () => ({}) as never },
  });
  const { device, stir } = model(host.line('device0'));
  host.add({ kind: 'registers', name: 'device0', device });
  let pipe = messagePipe(AttachRequest, AttachResponse);
  void host.attach(pipe.b as HostStream);
  const around = { regions: [], ringHost() {}, pipe: -1, restart() {}, attached() {}, close() {} };
  const shared = { words: rings, ...around };
  const group = await attachDeviceGroup(pipe.a as OwnerStream, 1, {
    vm: 'test',
    clock,
    line: () => line,
    logger: silentLogger,
    shared,
  });
  const [placed] = group.devices;
  if (placed?.kind !== 'registers') throw new Error('no registers');
  const proxy = placed.device;
  const at = mailboxAt(0);
  // Both sides of the mailbox on one thread.
  const access = (offset: number, width: number, write: boolean, value: number): number => {
    rings[at + MAIL_DEVICE] = 0;
    rings[at + MAIL_OFFSET] = offset;
    rings[at + MAIL_KIND] = width | (write ? MAIL_IS_WRITE : 0);
    rings[at + MAIL_VALUE] = value;
    rings[at + MAIL_REQUEST] = (rings[at + MAIL_REQUEST] as number) + 1;
    doorbell();
    expect(rings[at + MAIL_ANSWER]).toBe(rings[at + MAIL_REQUEST]);
    return (rings[at + MAIL_RESULT] as number) >>> 0;
  };
  return {
    device: {
      name: proxy.name,
      size: proxy.size,
      read: (offset, width) => access(offset, width, false, 0),
      write: (offset, width, value) => void access(offset, width, true, value),
      reset: () => proxy.reset(),
      save: () => proxy.save(),
      load: (section) => proxy.load(section),
      quiesce: () => proxy.quiesce(),
      resume: () => proxy.resume(),
      close: () => proxy.close(),
    },
    ...(stir === undefined ? {} : { stir }),
    /** The stream has broken; the device host is the same. */
    async attachAgain() {
      pipe.cut();
      const next = messagePipe(AttachRequest, AttachResponse);
      void host.attach(next.b as HostStream);
      await group.attach(next.a as OwnerStream, group.epoch + 1);
      pipe = next;
    },
  };
}

for (const [name, model] of Object.entries(models)) {
  const { size } = model(new FakeLine()).device;
  describeDevice(`${name} in messages`, () => inMessages(model, new FakeLine()), size);
}

describe('registers by mailbox', () => {
  test.each(Object.keys(models))('%s answers as it does in process', async (name) => {
    const model = models[name] as (line: InterruptLine) => Made;
    const step = fc.record({
      write: fc.boolean(),
      offset: fc.nat(31),
      width: fc.constantFrom(1, 2, 4),
      value: fc.nat(255),
      attachAgain: fc.nat(9).map((number) => number === 0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const near = model(new FakeLine()).device;
        const { device: far, attachAgain } = await inMailbox(model, new FakeLine());
        for (const { write, offset, width, value, attachAgain: breaks } of steps) {
          if (breaks) await attachAgain();
          if (write) {
            near.write(offset, width, value);
            far.write(offset, width, value);
          } else expect(far.read(offset, width)).toBe(near.read(offset, width));
        }
        await far.quiesce();
        await near.quiesce();
        expect([...far.save().bytes]).toEqual([...near.save().bytes]);
      }),
      { numRuns: 40 },
    );
  });

  test('whatever a peer writes, a device sees only accesses that fit it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(127), fc.integer()), { maxLength: 60 }), (writes) => {
        const words = new Int32Array(new SharedArrayBuffer(RING_BYTES));
        const seen: [number, number][] = [];
        const device: MailboxDevice = {
          size: 0x100,
          ready: true,
          access(offset, width) {
            seen.push([offset, width]);
            return 0;
          },
        };
        for (const [word, value] of writes) words[mailboxAt(0) + word] = value;
        serveMailboxes(words, [device]);
        for (const [offset, width] of seen) {
          expect([1, 2, 4]).toContain(width);
          expect(offset + width).toBeLessThanOrEqual(0x100);
        }
        for (let vcpu = 0; vcpu < 8; vcpu++) {
          expect(words[mailboxAt(vcpu) + MAIL_ANSWER]).toBe(words[mailboxAt(vcpu) + MAIL_REQUEST]);
        }
      }),
    );
  });

  test('an access that nobody answers is given up when the device goes another way', () => {
    const words = new Int32Array(new SharedArrayBuffer(RING_BYTES));
    const route = new Int32Array(new SharedArrayBuffer(4)).fill(1);
    let looks = 0;
    const registers = openDirect({ words, pipe: -1, device: 0, route }, 0, () => {
      looks++;
      Atomics.store(route, 0, 0);
    });
    expect(registers?.open).toBe(true);
    expect(registers?.access(0, 4, false, 0)).toBe(-1);
    expect([looks, registers?.open]).toEqual([1, false]);
  });
});

describe('state records', () => {
  test('hold the last state that was written', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (states) => {
        const words = new Int32Array(RING_BYTES / 4);
        const type = 'polyvisor.device.v1.SerialState';
        let last: StateSection | undefined;
        for (const [version, bytes] of states.entries()) {
          last = { type, version, bytes };
          new StateRecord(words, 3).write(last);
        }
        const read = new StateRecord(words, 3).read(type);
        expect(read?.version).toBe(last?.version);
        expect(read && [...read.bytes]).toEqual(last && [...last.bytes]);
        expect(new StateRecord(words, 2).read(type)).toBeUndefined();
      }),
    );
  });
});
