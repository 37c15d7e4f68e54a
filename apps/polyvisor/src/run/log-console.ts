import { closeSync, openSync, writeSync } from 'node:fs';
import type { CharBackend } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { hostReason } from '../settings/host-reason.ts';

/** A console whose output goes to a file, or nowhere without a path; the guest gets no input. Errors: `io`. */
export function openLogConsole(path: string | undefined): CharBackend {
  if (path === undefined) return { write() {}, onInput() {}, resume() {}, close() {} };
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'w', 0o644);
  } catch (error) {
    throw new PolyvisorError('permission', {
      what: "--console-log: can't write",
      which: path,
      limit: hostReason(error),
      hint: 'give a file in a folder that you may write to',
      cause: error,
    });
  }
  return {
    write(bytes) {
      if (descriptor === undefined) return;
      try {
        for (let from = 0; from < bytes.length;) from += writeSync(descriptor, bytes, from);
      } catch {
        // A full disk must not stop the guest: the log ends here.
        closeSync(descriptor);
        descriptor = undefined;
      }
    },
    onInput() {},
    resume() {},
    close() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}
