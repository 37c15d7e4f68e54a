import type { CharBackend } from '@polyvisor/contracts';

/** Output kept for readers that come later. */
const KEPT_BYTES = 64 << 10;
/** A reader that lags so far behind is dropped. */
const LAG_BYTES = 1 << 20;
/** Input that waits for the guest; beyond it, who types is told to wait. */
const INPUT_BYTES = 64 << 10;

/** Somebody who reads a terminal. */
export interface ConsoleReader {
  /** @returns false when it can't take more for now; the bytes are taken all the same. */
  write(output: Uint8Array): boolean;
  /** It lags too far behind. */
  drop(): void;
}

/** A terminal with any number of readers, whose input is mixed. The guest never waits for a reader. */
export interface ConsoleHub extends CharBackend {
  /** Gives what was kept, then what comes. @returns how to end it, and how to tell that it has caught up. */
  attach(reader: ConsoleReader): { detach(): void; caughtUp(): void };
  /** What somebody types. @returns false when the guest is slow to take it: {@link onInputRoom} tells when to go on. */
  type(input: Uint8Array): boolean;
  onInputRoom(callback: () => void): void;
}

/** A terminal that nobody reads yet. */
export function createConsoleHub(): ConsoleHub {
  return new Hub();
}

interface Attached {
  readonly reader: ConsoleReader;
  lag: number;
  behind: boolean;
}

class Hub implements ConsoleHub {
  readonly #readers = new Set<Attached>();
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #input: Uint8Array[] = [];
  #inputBytes = 0;
  #receive: ((bytes: Uint8Array) => number) | undefined;
  #inputRoom: (() => void)[] = [];

  write(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#keep(copy);
    for (const attached of this.#readers) {
      if (attached.behind) attached.lag += copy.length;
      if (attached.lag > LAG_BYTES) {
        this.#readers.delete(attached);
        attached.reader.drop();
      } else if (!attached.reader.write(copy)) attached.behind = true;
    }
  }

  #keep(copy: Uint8Array): void {
    this.#kept.push(copy);
    this.#keptBytes += copy.length;
    while (this.#keptBytes > KEPT_BYTES && this.#kept.length > 1) {
      this.#keptBytes -= this.#kept.shift()?.length ?? 0;
    }
  }

  attach(reader: ConsoleReader): { detach(): void; caughtUp(): void } {
    const attached: Attached = { reader, lag: 0, behind: false };
    for (const bytes of this.#kept) reader.write(bytes);
    this.#readers.add(attached);
    return {
      detach: () => void this.#readers.delete(attached),
      caughtUp() {
        attached.behind = false;
        attached.lag = 0;
      },
    };
  }

  type(input: Uint8Array): boolean {
    this.#input.push(input.slice());
    this.#inputBytes += input.length;
    this.#deliver();
    return this.#inputBytes < INPUT_BYTES;
  }

  onInputRoom(callback: () => void): void {
    this.#inputRoom.push(callback);
  }

  onInput(receive: (bytes: Uint8Array) => number): void {
    this.#receive = receive;
  }

  resume(): void {
    this.#deliver();
  }

  #deliver(): void {
    for (;;) {
      const [first] = this.#input;
      if (first === undefined || this.#receive === undefined) break;
      const taken = this.#receive(first);
      this.#inputBytes -= taken;
      if (taken < first.length) {
        this.#input[0] = first.subarray(taken);
        break;
      }
      this.#input.shift();
    }
    if (this.#inputBytes < INPUT_BYTES / 2) for (const callback of this.#inputRoom.splice(0)) callback();
  }

  close(): void {
    for (const { reader } of this.#readers) reader.drop();
    this.#readers.clear();
  }
}
