import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultVm, Role } from './fault-vm.ts';

/** What the guest does meanwhile. */
export type Load = 'disk' | 'files' | 'chatter';

/** One kind of fault. */
export interface Fault {
  readonly name: string;
  readonly loads: readonly Load[];
  /** Does it, and waits until it is over. @returns how long the part was away. */
  act(vm: FaultVm): Promise<number>;
}

const ALL: readonly Load[] = ['disk', 'files', 'chatter'];
const DISK: readonly Load[] = ['disk'];
const STOP_MS = 10_000;
/** Beyond what an owner waits for a word: it then ends the stream of a process that wakes up later. */
const LONG_STOP_MS = 13_000;

/** Every fault of a process that a VM must survive. */
export const faults: readonly Fault[] = [
  { name: 'kill devices', loads: ALL, act: (vm) => end(vm, ['devices'], 'SIGKILL') },
  { name: 'kill block', loads: DISK, act: (vm) => end(vm, ['block'], 'SIGKILL') },
  { name: 'kill both', loads: DISK, act: (vm) => end(vm, ['block', 'devices'], 'SIGKILL') },
  { name: 'restart devices', loads: ALL, act: (vm) => end(vm, ['devices'], 'SIGTERM') },
  { name: 'restart block', loads: DISK, act: (vm) => end(vm, ['block'], 'SIGTERM') },
  { name: 'stop devices', loads: ALL, act: (vm) => stop(vm, 'devices', STOP_MS) },
  { name: 'long stop of devices', loads: ALL, act: (vm) => stop(vm, 'devices', LONG_STOP_MS) },
  { name: 'stop block', loads: DISK, act: (vm) => stop(vm, 'block', STOP_MS) },
  {
    name: 'kill devices twice',
    loads: DISK,
    async act(vm) {
      const first = await end(vm, ['devices'], 'SIGKILL');
      await sleep(Math.random() * 300);
      return first + 300 + (await end(vm, ['devices'], 'SIGKILL'));
    },
  },
  {
    // What the block host had begun for the old device host is done when it wakes up.
    name: 'stop block, kill devices',
    loads: DISK,
    async act(vm) {
      const began = performance.now();
      const pid = vm.pid('block');
      process.kill(pid, 'SIGSTOP');
      await sleep(500);
      const from = vm.events.length;
      process.kill(vm.pid('devices'), 'SIGKILL');
      await sleep(3000);
      process.kill(pid, 'SIGCONT');
      return (await vm.restarted('devices', from)) - began;
    },
  },
  {
    name: 'stop devices, kill block',
    loads: DISK,
    async act(vm) {
      const began = performance.now();
      const pid = vm.pid('devices');
      process.kill(pid, 'SIGSTOP');
      await sleep(500);
      await end(vm, ['block'], 'SIGKILL');
      process.kill(pid, 'SIGCONT');
      return performance.now() - began;
    },
  },
];

async function end(vm: FaultVm, roles: readonly Role[], signal: 'SIGKILL' | 'SIGTERM'): Promise<number> {
  const from = vm.events.length;
  const began = performance.now();
  for (const role of roles) process.kill(vm.pid(role), signal);
  const back = await Promise.all(roles.map((role) => vm.restarted(role, from)));
  return Math.max(...back) - began;
}

async function stop(vm: FaultVm, role: Role, forMs: number): Promise<number> {
  const pid = vm.pid(role);
  process.kill(pid, 'SIGSTOP');
  const began = performance.now();
  await sleep(forMs);
  process.kill(pid, 'SIGCONT');
  return performance.now() - began;
}
