import type { CharBackend } from '../../../packages/contracts/src/index.ts';

/** A line of the guest's console. */
export interface ConsoleLine {
  readonly text: string;
  /** When it came, by performance.now(). */
  readonly atMs: number;
}

/** The guest's console: what it prints, by lines, and what is typed. */
export class GuestConsole implements CharBackend {
  readonly lines: ConsoleLine[] = [];
  #rest = '';
  #typed: Uint8Array = new Uint8Array(0);
  #receive: (bytes: Uint8Array) => number = () => 0;
  readonly #watchers = new Set<() => void>();

  write(bytes: Uint8Array): void {
    const atMs = performance.now();
    const pieces = (this.#rest + Buffer.from(bytes).toString('latin1')).split('\n');
    this.#rest = pieces.pop() ?? '';
    for (const text of pieces) this.lines.push({ text: text.replace(/\r/g, ''), atMs });
    for (const watcher of this.#watchers) watcher();
  }

  onInput(receive: (bytes: Uint8Array) => number): void {
    this.#receive = receive;
  }

  resume(): void {
    this.#typed = this.#typed.subarray(this.#receive(this.#typed));
  }

  close(): void {}

  type(text: string): void {
    this.#typed = Buffer.concat([this.#typed, Buffer.from(text)]);
    this.resume();
  }

  /**
   * The first whole line from number `from` on that fits.
   * @throws Error (rejects) after `timeoutMs`, with the last lines.
   */
  find(pattern: RegExp, from: number, timeoutMs: number): Promise<RegExpExecArray> {
    return this.#await(pattern, () => this.lines.slice(from).map((line) => line.text), timeoutMs);
  }

  /** Resolves once the shell waits for input. @throws Error (rejects) after `timeoutMs`. */
  async prompt(timeoutMs: number): Promise<void> {
    await this.#await(/# $/, () => [this.#rest], timeoutMs);
  }

  #await(pattern: RegExp, texts: () => readonly string[], timeoutMs: number): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        for (const text of texts()) {
          const found = pattern.exec(text);
          if (found === null) continue;
          clearTimeout(timer);
          this.#watchers.delete(look);
          resolve(found);
          return;
        }
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        const last = this.lines.slice(-5).map((line) => line.text);
        reject(new Error(`nothing like ${pattern.source} in ${timeoutMs} ms; last: ${last.join(' | ')}`));
      }, timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }
}
