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
  MAILBOXES,
} from './layout.ts';
import { futexWake } from '@polyvisor/shared-memory';

/** A device whose registers vCPU threads reach by mailbox. */
export interface MailboxDevice {
  readonly size: number;
  /** False: not now; it is looked at again at the next ring. */
  readonly ready: boolean;
  /** @returns the value read; state and level of it are on record when it returns. */
  access(offset: number, width: number, write: boolean, value: number): number;
}

/**
 * Answers the accesses that wait in mailboxes. What the peer wrote is copied, then checked: an access that no device
 * can have is answered with 0.
 * @param devices by number; undefined where one isn't reached this way.
 */
export function serveMailboxes(words: Int32Array, devices: readonly (MailboxDevice | undefined)[]): void {
  for (let vcpu = 0; vcpu < MAILBOXES; vcpu++) {
    const at = mailboxAt(vcpu);
    const request = Atomics.load(words, at + MAIL_REQUEST);
    // A device host that takes over finds here what the one before had not answered.
    if (request === Atomics.load(words, at + MAIL_ANSWER)) continue;
    const kind = words[at + MAIL_KIND] as number;
    const offset = (words[at + MAIL_OFFSET] as number) >>> 0;
    const value = (words[at + MAIL_VALUE] as number) >>> 0;
    const device = devices[(words[at + MAIL_DEVICE] as number) >>> 0];
    const width = kind & 0xff;
    if (device?.ready === false) continue;
    const possible =
      device !== undefined && (width === 1 || width === 2 || width === 4) && offset + width <= device.size;
    words[at + MAIL_RESULT] = possible
      ? device.access(offset, width, (kind & MAIL_IS_WRITE) !== 0, value)
      : 0;
    Atomics.store(words, at + MAIL_ANSWER, request);
    futexWake(words, at + MAIL_ANSWER, 1);
  }
}
