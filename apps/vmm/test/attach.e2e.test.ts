import { afterAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDeviceService } from '@polyvisor/device-host';
import type { ConsoleHub } from '@polyvisor/device-host';
import { createGuestMemfds } from '@polyvisor/guest-memory/node';
import { assemble } from '@polyvisor/isa-riscv/testing';
import { regionsOf } from '@polyvisor/machine';
import { AttachRequest, AttachResponse } from '@polyvisor/proto/service/device';
import type { DeviceSpecInput } from '@polyvisor/proto/service/device';
import { openSharedHostSide, openSharedOwnerSide, RING_BYTES } from '@polyvisor/rpc/device';
import { createBellPipe, createMemfd } from '@polyvisor/shared-memory';
import { messagePipe } from '@polyvisor/testkit/message-pipe';
import { describeWith } from '@polyvisor/testkit/needs';
import { createLocalDevices, createVmmService } from '../src/index.ts';

/*
 * A guest that prints numbers and reads its clock without a pause, while its devices are moved from one way of being
 * attached to another. Its terminal is one, wherever the serial port is.
 */

const MEMORY = 32 << 20;
const LOAD = 0x8000_0000;

/** Prints 0 to 9999 in four digits and a line feed, reading the clock after each, then powers off. */
const PROGRAM = `
  li s0, 0
  li s1, 0x10000000
  li s2, 0x101000
next:
  li t1, 1000
  mv t2, s0
digit:
  divu t3, t2, t1
  remu t2, t2, t1
  addi t3, t3, 48
  sb t3, 0(s1)
  li t4, 10
  divu t1, t1, t4
  bnez t1, digit
  sb t4, 0(s1)
  lw t5, 0(s2)
  lw t6, 4(s2)
  addi s0, s0, 1
  li t4, 2500
  bne s0, t4, next
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
forever:
  j forever
`;

const BUILT = ['tcg/dist/tcg.wasm', 'isa-riscv/dist/isa-riscv.wasm'].map(
  (path) => new URL(`../../../packages/${path}`, import.meta.url).pathname,
);
const folder = mkdtempSync(join(tmpdir(), 'attach-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const devices: DeviceSpecInput[] = [
  { name: 'rtc0', kind: { case: 'rtc', value: {} } },
  { name: 'serial0', kind: { case: 'serial', value: { baudBase: 230_400 } } },
  { name: 'rng0', kind: { case: 'rng', value: {} } },
];
const context = { requireVm() {} } as never;

describeWith({ devices: BUILT }, 'devices of a running machine', () => {
  test('move between processes and ways without the guest noticing', async () => {
    const kernel = join(folder, 'kernel');
    const code = assemble(PROGRAM, LOAD + 64);
    const image = new Uint8Array(64 + code.length);
    const view = new DataView(image.buffer);
    view.setUint32(0, 0x0400_006f, true);
    view.setUint32(16, image.length, true);
    view.setUint32(56, 0x0543_5352, true);
    image.set(code, 64);
    writeFileSync(kernel, image);

    const memfds = createGuestMemfds('attach-test', regionsOf(MEMORY));
    const rings = createMemfd('attach-rings', RING_BYTES);
    const toHost = createBellPipe();
    const toOwner = createBellPipe();
    const shared = openSharedHostSide({
      ramFd: memfds.ram.fd,
      flagsFd: memfds.flags.fd,
      ringFd: rings.fd,
      wakeFd: toHost.readFd,
      peerFd: toOwner.writeFd,
    });

    let text = '';
    let changed = (): void => {};
    const read = (hub: ConsoleHub): ConsoleHub => {
      hub.attach({
        write(output) {
          text += Buffer.from(output).toString('latin1');
          changed();
          return true;
        },
        drop() {},
      });
      return hub;
    };
    const hubs = new Map<string, ConsoleHub>();
    const setHub = hubs.set.bind(hubs);
    hubs.set = (key, hub) => setHub(key, read(hub));

    const remote = createDeviceService({ shared, openDisk: () => Promise.reject(new Error('no disk')) });
    await remote.handlers.create({ vm: 'attach', devices } as never, context);
    const opened = messagePipe(AttachRequest, AttachResponse);
    opened.cut();
    const console = {
      send: ({ output }: { output?: Uint8Array }) => {
        text += Buffer.from(output ?? []).toString('latin1');
        changed();
        return true;
      },
      onMessage: (receive: (message: object) => void) =>
        receive({ device: 'serial0', port: 0, input: new Uint8Array(), columns: 0, rows: 0 }),
      onDrain() {},
      closed: new Promise<undefined>(() => {}),
      close() {},
    };
    void remote.handlers.console(console as never, context);

    const vmm = createVmmService({
      openDevices: () => {
        const pipe = messagePipe(AttachRequest, AttachResponse);
        void remote.handlers.attach(pipe.b as never, context);
        return Promise.resolve({ stream: pipe.a as never, close() {} });
      },
      openLocal: createLocalDevices({ hubs, openDisk: () => Promise.reject(new Error('no disk')) }),
      inherited: {
        ramFd: memfds.ram.fd,
        flagsFd: memfds.flags.fd,
        openRings: (options) =>
          openSharedOwnerSide({ ringFd: rings.fd, wakeFd: toOwner.readFd, peerFd: toHost.writeFd }, options),
      },
    });
    const { create, attachDevices, run, inspect } = vmm.handlers;
    void create(
      {
        vm: 'attach',
        name: 'attach',
        board: 'riscv-virt',
        cpus: 1,
        memoryBytes: MEMORY,
        accelerator: undefined,
        firmware: { kind: 'none', path: '' },
        kernel,
        initrd: '',
        append: '',
        balloon: false,
        noReboot: true,
        devices: devices.map(({ name, kind }) => ({ name: name ?? '', kind: kind?.case ?? '' })),
        inherited: undefined,
      },
      context,
    );
    let epoch = 0;
    const attach = (mode: 'in-process' | 'stream' | 'shared') =>
      attachDevices(
        {
          endpoint: mode === 'in-process' ? '' : 'unix:/nowhere',
          mode,
          epoch: ++epoch,
          devices: [],
          replace: false,
          local: mode === 'in-process' ? devices : [],
        } as never,
        context,
      );
    const modes = ['stream', 'in-process', 'shared', 'stream', 'shared', 'in-process', 'shared'] as const;
    await attach(modes[0]);
    await run({}, context);
    for (const [index, mode] of modes.slice(1).entries()) {
      const until = 8 * 250 * (index + 1);
      await new Promise<void>((resolve) => {
        changed = () => text.length >= until && resolve();
        changed();
      });
      await attach(mode);
    }
    const state = (): string => (inspect({}, context) as { state: string }).state;
    await new Promise<void>((resolve) => {
      changed = () => text.length >= 5 * 2500 && resolve();
      changed();
    });
    expect(text.split('\n').filter((line) => line !== '')).toEqual(
      Array.from({ length: 2500 }, (_, number) => String(number).padStart(4, '0')),
    );
    await vmm.handlers.stop({}, context);
    expect(state()).toBe('ended');
    await vmm.close();
    await remote.close();
    memfds.ram.close();
    memfds.flags.close();
    rings.close();
  }, 120_000);
});
