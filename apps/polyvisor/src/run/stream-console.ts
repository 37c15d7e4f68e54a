import type { CharBackend } from '@polyvisor/contracts';

/** Output is gathered up to this size within one turn of the event loop: guests print byte by byte. */
const GATHER_BYTES = 16_384;

/** What a console reads from: process.stdin, or a test's stream. */
export interface ConsoleInput {
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

export interface ConsoleOutput {
  write(chunk: Uint8Array): unknown;
}

export interface StreamConsoleOptions {
  readonly output: ConsoleOutput;
  /** Absent: the guest gets no input. */
  readonly input?: ConsoleInput;
  /** Takes out what is not for the guest. */
  readonly filter?: (chunk: Uint8Array) => Uint8Array;
  /** Input waits until the guest has printed this (ASCII). */
  readonly listening?: string;
}

/** A console over two streams. */
export interface StreamConsole extends CharBackend {
  /** Hands gathered output to the stream now. */
  flush(): void;
}

/**
 * Connects a guest's character device to streams. Input that the guest does not take makes the input stream wait;
 * its end is no event for the guest. Output goes out in order, at the latest at the end of this turn of the loop.
 */
export function createStreamConsole({
  output,
  input,
  filter = (chunk) => chunk,
  listening,
}: StreamConsoleOptions): StreamConsole {
  let gathered = new Uint8Array(GATHER_BYTES);
  let length = 0;
  let flushing: NodeJS.Immediate | undefined;
  let receive: ((bytes: Uint8Array) => number) | undefined;
  let pending: Uint8Array = new Uint8Array(0);
  let attached = false;
  let closed = false;
  let awaited = listening;
  let tail = '';

  /** Looks for the awaited text, which may come in pieces. */
  function watch(bytes: Uint8Array): void {
    if (awaited === undefined) return;
    tail += Buffer.from(bytes).toString('latin1');
    if (tail.includes(awaited)) {
      awaited = undefined;
      tail = '';
      // Not within the guest's own write.
      setImmediate(deliver);
    } else {
      tail = tail.slice(-awaited.length);
    }
  }

  function flush(): void {
    if (flushing !== undefined) clearImmediate(flushing);
    flushing = undefined;
    if (length === 0) return;
    const chunk = gathered.subarray(0, length);
    // The stream may keep the chunk, so the next one needs memory of its own.
    gathered = new Uint8Array(GATHER_BYTES);
    length = 0;
    output.write(chunk);
  }

  function deliver(): void {
    if (receive === undefined || closed || awaited !== undefined) return;
    while (pending.length > 0) {
      const taken = receive(pending);
      if (taken <= 0) break;
      pending = pending.subarray(taken);
    }
    if (pending.length > 0) input?.pause();
    else input?.resume();
  }

  return {
    write(bytes) {
      if (closed) return;
      watch(bytes);
      for (let from = 0; from < bytes.length;) {
        const count = Math.min(bytes.length - from, GATHER_BYTES - length);
        gathered.set(bytes.subarray(from, from + count), length);
        length += count;
        from += count;
        if (length === GATHER_BYTES) flush();
      }
      if (length > 0) flushing ??= setImmediate(flush);
    },
    onInput(receiver) {
      receive = receiver;
      if (input === undefined) return;
      if (!attached) {
        attached = true;
        input.on('data', (chunk) => {
          const bytes = filter(chunk);
          pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
          if (awaited !== undefined) input.pause();
          deliver();
        });
      }
      deliver();
    },
    resume: deliver,
    flush,
    close() {
      flush();
      closed = true;
      input?.pause();
    },
  };
}

/** A console that nobody reads or writes. */
export function createNullConsole(): StreamConsole {
  return { write() {}, onInput() {}, resume() {}, flush() {}, close() {} };
}
