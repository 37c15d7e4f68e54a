import type { DirectRegisters, InterruptLine } from '@polyvisor/contracts';
import { futexWait, ringBell } from '@polyvisor/shared-memory';
import {
  HOST_BELL,
  LEVELS_AT,
  MAIL_ANSWER,
  MAIL_DEVICE,
  MAIL_IS_WRITE,
  MAIL_KIND,
  MAIL_OFFSET,
  MAIL_REQUEST,
  MAIL_RESULT,
  MAIL_VALUE,
  mailboxAt,
  MAILBOXES,
} from './layout.ts';

/** What a vCPU's thread needs to reach a device; structured-cloneable. */
export interface DirectHandle {
  /** Words of the ring descriptor. */
  readonly words: Int32Array;
  /** Writing end of the pipe that wakes the device host. */
  readonly pipe: number;
  /** Number of the device in its group. */
  readonly device: number;
  /** One word: 1 while vCPUs may reach the device this way. */
  readonly route: Int32Array;
}

/** A look at what else is asked of the thread, while a device takes its time. */
const LOOK_MS = 100;

/** Opens a vCPU's way to the registers of a device in another process. Called on the vCPU's thread. */
export function openDirect(
  handle: unknown,
  vcpu: number,
  whileWaiting: (answered: () => boolean) => void,
): DirectRegisters | undefined {
  const { words, pipe, device, route } = handle as DirectHandle;
  if (vcpu >= MAILBOXES) return undefined;
  const at = mailboxAt(vcpu);
  let level = -1;

  return {
    get open() {
      return Atomics.load(route, 0) === 1;
    },
    access(offset, width, write, value) {
      const request = ((words[at + MAIL_REQUEST] as number) + 1) | 0;
      words[at + MAIL_DEVICE] = device;
      words[at + MAIL_OFFSET] = offset;
      words[at + MAIL_KIND] = width | (write ? MAIL_IS_WRITE : 0);
      words[at + MAIL_VALUE] = value;
      Atomics.store(words, at + MAIL_REQUEST, request);
      ringBell(words, HOST_BELL, pipe);
      for (;;) {
        const answer = Atomics.load(words, at + MAIL_ANSWER);
        if (answer === request) return (words[at + MAIL_RESULT] as number) >>> 0;
        if (Atomics.load(route, 0) !== 1) {
          // The device is reached in another way now, and nobody looks here any more.
          Atomics.store(words, at + MAIL_REQUEST, answer);
          return -1;
        }
        futexWait(words, at + MAIL_ANSWER, answer, LOOK_MS);
        whileWaiting(() => Atomics.load(words, at + MAIL_ANSWER) === request);
      }
    },
    syncLine(line) {
      const now = Atomics.load(words, LEVELS_AT + device);
      if (now === level) return;
      level = now;
      syncLine(words, device, line);
    },
  };
}

/** Gives a line the level that its device drives. Several threads may do so at once: the last look wins. */
export function syncLine(words: Int32Array, device: number, line: InterruptLine): void {
  let level = Atomics.load(words, LEVELS_AT + device);
  for (;;) {
    line.set(level === 1);
    const now = Atomics.load(words, LEVELS_AT + device);
    if (now === level) return;
    level = now;
  }
}
