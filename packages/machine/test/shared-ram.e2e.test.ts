import { createTcg } from '@polyvisor/accel-tcg';
import type { GuestMemoryLayout } from '@polyvisor/guest-memory';
import {
  createGuestMemfds,
  guestMemfdSizes,
  openSharedGuestMemory,
  overlayGuestMemory,
  ownersOffset,
} from '@polyvisor/guest-memory/node';
import { describeWith } from '@polyvisor/testkit/needs';
import { expect, test } from '@jest/globals';
import type { MachineAccelerator, MachineVm } from '../src/index.ts';
import { MROM_BASE, MROM_SIZE, RAM_BASE } from '../src/boards/riscv-virt/memory-map.ts';
import { BUILT, DONE, startBare } from './bare-guest.ts';

/*
 * Guest RAM, flags and counters lie in memfds. A second mapping of them, opened as a device process opens it, stands
 * for that process.
 */

const RAM_BYTES = 32 << 20;
const REGIONS = [
  { gpa: RAM_BASE, size: RAM_BYTES, readOnly: false },
  { gpa: MROM_BASE, size: MROM_SIZE, readOnly: true },
];

/** Waits for a device's word, then calls `answer` until it returns another number than 1, and ends with success on 3. */
const PROGRAM = `
  li s0, ${RAM_BASE}
  li t0, 0x100000
  add s0, s0, t0
  li a0, 119
  call putc
wait:
  lw t0, 0(s0)
  beqz t0, wait
  mv a0, t0
  call putc
  li s2, 1
  li s3, 0
again:
  call answer
  addi s3, s3, 1
  li t1, 100000
  bne s3, t1, not_yet
  li a0, 114
  call putc
not_yet:
  li s2, 1
  beq a1, s2, again
  li s2, 3
  li a0, 1
  bne a1, s2, failed
  j done
.align 64
answer:
  addi a1, zero, 1
  ret
`;

describeWith({ devices: BUILT }, 'guest RAM in memfds', () => {
  test.each(['interpreter', 'auto'] as const)(
    'boots, and both sides see data and code that either wrote, %s',
    async (tier) => {
      const memfds = createGuestMemfds('polyvisor-test', REGIONS);
      let layout: GuestMemoryLayout | undefined;
      let vm: MachineVm | undefined;
      const tcg = createTcg({ tier }) as MachineAccelerator;
      const accelerator: MachineAccelerator = {
        ...tcg,
        async createVm(config) {
          expect(guestMemfdSizes(config.regions)).toEqual(guestMemfdSizes(REGIONS));
          vm = await tcg.createVm({
            ...config,
            onMemory(given) {
              layout = given;
              overlayGuestMemory(given, memfds.ram.fd, memfds.flags.fd);
            },
          });
          return vm;
        },
      };
      const device = openSharedGuestMemory({
        ramFd: memfds.ram.fd,
        flagsFd: memfds.flags.fd,
        regions: REGIONS,
        hooks: {
          onCodeWrite(offset, length) {
            const here = ownersOffset(layout as GuestMemoryLayout, offset, length);
            expect(here).toBeGreaterThan(0);
            vm?.codeWritten(here, length);
          },
        },
      });
      const guest = await startBare(PROGRAM, { tier, dependencies: { accelerator } });
      await guest.shown('w');
      const word = device.locate(RAM_BASE + 0x100000, 4);
      device.view.setUint32(word, 0x58, true);
      device.wrote(RAM_BASE + 0x100000, 4);
      // The guest runs `answer` from its translations by now.
      await guest.shown('r');
      const ret = 0x0000_8067;
      const liA1 = (value: number): number => (value << 20) | (11 << 7) | 0x13;
      const find = (): number => {
        for (let at = 0; at < 0x1000; at += 4) {
          if (device.view.getUint32(at, true) === liA1(1) && device.view.getUint32(at + 4, true) === ret)
            return at;
        }
        return -1;
      };
      const answer = find();
      expect(answer).toBeGreaterThan(0);
      device.view.setUint32(answer, liA1(3), true);
      device.wrote(RAM_BASE + answer, 4);
      expect(await guest.machine.ended).toEqual(DONE);
      expect(guest.text()).toBe('wXr');
      await guest.machine.close();
      device.close();
      memfds.ram.close();
      memfds.flags.close();
    },
    60_000,
  );
});
