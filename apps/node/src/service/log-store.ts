import type { RotatingFile } from '../state/rotating-file.ts';

/** Lines that a VM's processes log: kept in a file, and told to who follows. */
export interface LogStore {
  append(line: string): void;
  /** The last lines; 0: all that are kept. */
  tail(lines: number): string[];
  /** @returns how to end it. */
  follow(listener: (line: string) => void): () => void;
  close(): void;
}

/** Keeps lines in a file that is open already; `limitBytes` of it are read at most. */
export function createLogStore(file: RotatingFile, limitBytes: number): LogStore {
  const listeners = new Set<(line: string) => void>();
  return {
    append(line) {
      file.append(Buffer.from(`${line}\n`));
      for (const listener of listeners) listener(line);
    },
    tail(lines) {
      const all = file.tail(limitBytes).toString().split('\n').slice(0, -1);
      return lines === 0 ? all : all.slice(-lines);
    },
    follow(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => file.close(),
  };
}
