import type { CharBackend } from '@polyvisor/contracts';

/** A character backend in memory: collects the guest's bytes, feeds it what a test types. */
export class FakeCharBackend implements CharBackend {
  readonly written: number[] = [];
  /** Bytes that it still takes; lower it to push back. */
  capacity = Infinity;
  resumes = 0;
  closed = false;
  #pending: number[] = [];
  #receive: (bytes: Uint8Array) => number = () => 0;
  #room: () => void = () => {};

  write(bytes: Uint8Array): void {
    this.written.push(...bytes);
    this.capacity -= bytes.length;
  }

  onInput(receive: (bytes: Uint8Array) => number): void {
    this.#receive = receive;
  }

  resume(): void {
    this.resumes++;
    this.#deliver();
  }

  room(): number {
    return Math.max(0, this.capacity);
  }

  onRoom(callback: () => void): void {
    this.#room = callback;
  }

  close(): void {
    this.closed = true;
  }

  /** Offers bytes to the guest; what it does not take now is offered again when it resumes. */
  type(text: string | Uint8Array): void {
    this.#pending.push(...(typeof text === 'string' ? new TextEncoder().encode(text) : text));
    this.#deliver();
  }

  /** Bytes typed and not taken yet. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Takes `capacity` more bytes from the guest. */
  makeRoom(capacity: number): void {
    this.capacity = capacity;
    this.#room();
  }

  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.written));
  }

  #deliver(): void {
    if (this.#pending.length === 0) return;
    const taken = this.#receive(Uint8Array.from(this.#pending));
    this.#pending = this.#pending.slice(taken);
  }
}
