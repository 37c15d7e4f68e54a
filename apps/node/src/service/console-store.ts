import type { CharBackend } from '@polyvisor/contracts';
import { createConsoleHub } from '@polyvisor/device-host';
import type { RotatingFile } from '../state/rotating-file.ts';

/** Somebody who reads a terminal; false: it can't take more for now. */
export interface ConsoleListener {
  write(output: Uint8Array): boolean;
  drop(): void;
}

/** A terminal of a VM: kept in a file, over any number of runs. */
export interface ConsoleStore extends CharBackend {
  /** Gives the last bytes that were kept, then what comes. */
  listen(historyBytes: number, listener: ConsoleListener): { detach(): void; caughtUp(): void };
  /** @returns false when the guest is slow to take it: `onInputRoom` tells when to go on. */
  type(input: Uint8Array): boolean;
  onInputRoom(callback: () => void): void;
}

/** Bytes of history that one reader may ask for. */
const HISTORY_LIMIT = 8 << 20;

/** Keeps what is printed in a file that is open already. */
export function createConsoleStore(file: RotatingFile): ConsoleStore {
  // Readers, their lag, and input: as a device host has them. Its memory of what was printed is the file here.
  const hub = createConsoleHub();
  return {
    write(bytes) {
      file.append(bytes);
      hub.write(bytes);
    },
    onInput: (receive) => hub.onInput(receive),
    resume: () => hub.resume(),
    close() {
      hub.close();
      file.close();
    },
    listen(historyBytes, listener) {
      const history = file.tail(Math.min(historyBytes, HISTORY_LIMIT));
      if (history.length > 0) listener.write(history);
      let live = false;
      // What the hub remembers is part of the file.
      const attached = hub.attach({
        write: (output) => (live ? listener.write(output) : true),
        drop: () => listener.drop(),
      });
      live = true;
      return attached;
    },
    type: (input) => hub.type(input),
    onInputRoom: (callback) => hub.onInputRoom(callback),
  };
}
