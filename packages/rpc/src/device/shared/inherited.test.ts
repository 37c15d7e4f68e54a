import { afterEach, expect, test } from '@jest/globals';
import { createGuestMemfds } from '@polyvisor/guest-memory/node';
import { createBellPipe, createMemfd } from '@polyvisor/shared-memory';
import { openSharedHostSide, openSharedOwnerSide } from './inherited.ts';
import { RING_BYTES } from './layout.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
});

test('a device host that wakes up between two attachments takes no event with it, and spoils none', async () => {
  const regions = [{ gpa: 0x8000_0000, size: 1 << 20, readOnly: false }];
  const { ram, flags } = createGuestMemfds('test', regions);
  const rings = createMemfd('rings', RING_BYTES);
  const [toOwner, toHost] = [createBellPipe(), createBellPipe()];
  open.push(() => {
    for (const each of [ram, flags, rings]) each.close();
    // Who listens closes the reading ends.
    for (const pipe of [toOwner, toHost]) pipe.closeWrite();
  });
  const fds = { ramFd: ram.fd, flagsFd: flags.fd, ringFd: rings.fd };
  const owner = openSharedOwnerSide(
    { ringFd: rings.fd, wakeFd: toOwner.readFd, peerFd: toHost.writeFd },
    { regions, onCodeWritten() {} },
  );
  const host = openSharedHostSide({ ...fds, wakeFd: toHost.readFd, peerFd: toOwner.writeFd });
  open.push(
    () => owner.close(),
    () => host.close(),
  );
  const heard: string[] = [];
  const until = async (count: number): Promise<void> => {
    for (let left = 200; left > 0 && heard.length < count; left--)
      await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const attach = (name: string): void =>
    owner.restart(
      (device) => heard.push(`${name} used ${device}`),
      (device) => heard.push(`${name} line ${device}`),
    );
  attach('first');
  host.open(regions);
  owner.attached();
  for (let device = 0; device < 3; device++) host.usedBuffers(device);
  await until(3);
  expect(heard.splice(0)).toEqual(['first used 0', 'first used 1', 'first used 2']);
  attach('second');
  // It doesn't know yet.
  for (let device = 0; device < 2000; device++) host.usedBuffers(device);
  await new Promise((resolve) => setTimeout(resolve, 20));
  host.open(regions);
  host.lineChanged(7);
  owner.attached();
  host.usedBuffers(8);
  await until(2);
  expect(heard).toEqual(['second line 7', 'second used 8']);
});
