/** What a link does to what passes, in one direction. Times in milliseconds. */
export interface LinkQuality {
  readonly delayMs: number;
  /** Added at random, evenly up to this. */
  readonly jitterMs: number;
  /** Part of packets that are lost, 0 to 1. */
  readonly loss: number;
  /** Bytes a second; Infinity for no limit. */
  readonly rate: number;
}

/** Bytes of a packet, for loss. */
export const PACKET_BYTES = 1448;
/** What a lost packet costs a TCP stream: the least time after which Linux sends it again. */
const RETRANSMIT_MS = 200;
/** A wait shorter than this is slept through in naps: timers are a millisecond coarse. */
const COARSE_MS = 2.5;
const NAP_MS = 0.1;

interface Held<T> {
  readonly dueMs: number;
  readonly bytes: number;
  readonly deliver: T;
}

/** Everything that a relay holds back, by time; one for all of its directions. */
export class Schedule {
  readonly #directions = new Set<Direction>();
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));
  #planned = false;
  #timer: NodeJS.Timeout | undefined;

  add(direction: Direction): void {
    this.#directions.add(direction);
  }

  remove(direction: Direction): void {
    this.#directions.delete(direction);
  }

  /** Something is due earlier than what was before, or at last. */
  plan(): void {
    if (this.#planned) return;
    let nextMs = Infinity;
    for (const direction of this.#directions) nextMs = Math.min(nextMs, direction.nextMs);
    clearTimeout(this.#timer);
    if (nextMs === Infinity) return;
    const waitMs = nextMs - performance.now();
    if (waitMs > COARSE_MS) {
      this.#timer = setTimeout(() => this.plan(), waitMs - COARSE_MS + 1);
      return;
    }
    this.#planned = true;
    if (waitMs > 0) Atomics.wait(this.#nap, 0, 0, Math.min(NAP_MS, waitMs));
    setImmediate(() => {
      this.#planned = false;
      const now = performance.now();
      for (const direction of this.#directions) direction.serve(now);
      this.plan();
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#directions.clear();
  }
}

/** One direction of a connection: holds back what passes, in order. */
export class Direction {
  #quality: LinkQuality;
  readonly #schedule: Schedule;
  readonly #random: () => number;
  #held: Held<() => void>[] = [];
  #lastDueMs = 0;
  #freeMs = 0;
  #cut = false;
  /** Bytes that are held. */
  bytes = 0;
  /** Told when something was delivered. */
  onDelivered = (): void => {};

  constructor(quality: LinkQuality, schedule: Schedule, random: () => number) {
    this.#quality = quality;
    this.#schedule = schedule;
    this.#random = random;
    schedule.add(this);
  }

  get nextMs(): number {
    return this.#cut ? Infinity : (this.#held[0]?.dueMs ?? Infinity);
  }

  set quality(quality: LinkQuality) {
    this.#quality = quality;
  }

  /** Nothing passes while cut; what is held waits. */
  set cut(cut: boolean) {
    this.#cut = cut;
    this.#schedule.plan();
  }

  get cut(): boolean {
    return this.#cut;
  }

  /** A piece of a stream: in order; a lost packet stalls it. */
  stream(bytes: number, deliver: () => void): void {
    const { loss } = this.#quality;
    const packets = Math.ceil(bytes / PACKET_BYTES);
    const lost = loss > 0 && this.#random() > (1 - loss) ** packets;
    this.#hold(bytes, this.#travelMs(bytes) + (lost ? RETRANSMIT_MS : 0), true, deliver);
  }

  /** A packet: lost, or delivered whole; jitter may reorder them. */
  packet(bytes: number, deliver: () => void): void {
    if (this.#cut || this.#random() < this.#quality.loss) return;
    this.#hold(bytes, this.#travelMs(bytes), false, deliver);
  }

  #travelMs(bytes: number): number {
    const now = performance.now();
    const { delayMs, jitterMs, rate } = this.#quality;
    this.#freeMs = Math.max(now, this.#freeMs) + (rate === Infinity ? 0 : (bytes / rate) * 1000);
    return this.#freeMs - now + delayMs + jitterMs * this.#random();
  }

  #hold(bytes: number, afterMs: number, inOrder: boolean, deliver: () => void): void {
    let dueMs = performance.now() + afterMs;
    if (inOrder) dueMs = Math.max(dueMs, this.#lastDueMs);
    this.#lastDueMs = dueMs;
    this.bytes += bytes;
    const held = { dueMs, bytes, deliver };
    const at = inOrder ? -1 : this.#held.findIndex((each) => each.dueMs > dueMs);
    if (at < 0) this.#held.push(held);
    else this.#held.splice(at, 0, held);
    this.#schedule.plan();
  }

  serve(now: number): void {
    if (this.#cut) return;
    let count = 0;
    for (const { dueMs, bytes, deliver } of this.#held) {
      if (dueMs > now) break;
      count++;
      this.bytes -= bytes;
      deliver();
    }
    if (count === 0) return;
    this.#held = this.#held.slice(count);
    this.onDelivered();
  }

  close(): void {
    this.#held = [];
    this.#schedule.remove(this);
  }
}
