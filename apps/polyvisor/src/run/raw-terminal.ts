import type { ReadStream } from 'node:tty';

/** A terminal in raw mode. */
export interface RawTerminal {
  /** Back to how it was. Idempotent. */
  restore(): void;
}

/**
 * Puts the terminal into raw mode, so that every key reaches the guest. It is restored on {@link RawTerminal.restore}
 * and whenever the process exits, also through an uncaught error. After a stop and continue by the shell raw mode is set again.
 */
export function openRawTerminal(input: ReadStream): RawTerminal {
  let raw = true;
  const again = () => {
    if (!raw) return;
    // The stream believes that it is raw still, while the shell has set its own mode.
    input.setRawMode(false);
    input.setRawMode(true);
  };
  const restore = () => {
    if (!raw) return;
    raw = false;
    process.off('exit', restore);
    process.off('SIGCONT', again);
    try {
      input.setRawMode(false);
    } catch {
      // The terminal is gone: nothing to restore.
    }
  };
  input.setRawMode(true);
  process.on('exit', restore);
  process.on('SIGCONT', again);
  return { restore };
}
