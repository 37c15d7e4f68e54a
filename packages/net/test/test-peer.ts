import type { Clock, Timer } from '@polyvisor/contracts';
import { readTcp, type Received, type ReceivedTcp, tcpFrame } from './frames.ts';

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const RTO_NS = 400e6;

/** What varies between peers. */
export interface TestPeerOptions {
  readonly clock: Clock;
  readonly emit: (frame: Uint8Array) => void;
  readonly remote: readonly number[];
  readonly remotePort: number;
  readonly port: number;
  readonly mss: number;
  /** Receive buffer; the reader takes `readPerTick` bytes each 10 ms. */
  readonly buffer: number;
  readonly readPerTick: number;
  /** -1: not offered. */
  readonly scale: number;
  readonly initialSequence: number;
}

/**
 * The smallest TCP that is right: go-back-N with a fixed timeout, receives in order only, acknowledges everything.
 * Shares no idea with the sources, so that both can't be wrong in the same way.
 */
export class TestPeer {
  readonly received: number[] = [];
  readonly #o: TestPeerOptions;
  #toSend: number[] = [];
  /** Offset of the first unacknowledged byte, counting SYN as -1, and FIN behind the data. */
  #una = -1;
  #sent = -1;
  #window = 536;
  #sendScale = 0;
  #mss = 536;
  #finWanted = false;
  #next = 0;
  #synced = false;
  #opening = false;
  #unread = 0;
  #timer: Timer | undefined;
  #reader: Timer | undefined;
  #duplicates = 0;
  finReceived = false;
  reset = false;

  constructor(options: TestPeerOptions) {
    this.#o = options;
  }

  get finished(): boolean {
    return this.#finWanted && this.#una === this.#toSend.length + 1;
  }

  get established(): boolean {
    return this.#synced && this.#una >= 0;
  }

  open(): void {
    this.#opening = true;
    this.#emit(SYN, this.#o.initialSequence, [], this.#synOptions());
    this.#sent = 0;
    this.#arm();
  }

  send(data: Iterable<number>): void {
    this.#toSend.push(...data);
    if (this.established) this.#pump();
  }

  end(): void {
    this.#finWanted = true;
    if (this.established) this.#pump();
  }

  abort(): void {
    this.#emit(RST | ACK, this.#sequence(this.#sent), []);
    this.stop();
  }

  /** Answers a SYN with a reset. */
  refuse(sequence: number): void {
    this.#next = (sequence + 1) >>> 0;
    this.#emit(RST | ACK, 0, []);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#reader?.cancel();
    this.reset = true;
  }

  input(packet: Received): void {
    if (this.reset) return;
    const segment = readTcp(packet);
    if (segment.flags & RST) {
      // A straggler of a connection that the other side has forgotten is answered so.
      if (!this.finished || !this.finReceived) this.stop();
      return;
    }
    if (segment.flags & SYN) {
      this.#syn(segment);
      return;
    }
    if (!this.#synced) return;
    this.#acknowledged(segment);
    if (segment.data.length > 0 || segment.flags & FIN) this.#data(segment);
  }

  #syn(segment: ReceivedTcp): void {
    if (!this.#synced) {
      this.#synced = true;
      this.#next = (segment.sequence + 1) >>> 0;
      const { options } = segment;
      this.#mss = options[0] === 2 ? (options[2]! << 8) | options[3]! : 536;
      this.#sendScale = this.#o.scale >= 0 && options[5] === 3 ? options[7]! : 0;
    }
    if (segment.flags & ACK) {
      this.#una = Math.max(this.#una, 0);
      this.#window = segment.window;
      this.#ack();
      this.#pump();
    } else {
      this.#opening = false;
      this.#emit(SYN | ACK, this.#o.initialSequence, [], this.#synOptions());
      this.#sent = Math.max(0, this.#sent);
      this.#arm();
    }
  }

  #synOptions(): number[] {
    const { mss, scale } = this.#o;
    return [2, 4, mss >> 8, mss & 255, ...(scale < 0 ? [] : [1, 3, 3, scale])];
  }

  #acknowledged(segment: ReceivedTcp): void {
    const offset = (segment.acknowledgment - this.#sequence(0)) | 0;
    if (!(segment.flags & ACK) || offset > this.#toSend.length + 1) return;
    this.#window = segment.window << this.#sendScale;
    if (offset > this.#una) {
      this.#una = offset;
      this.#sent = Math.max(this.#sent, offset);
      this.#duplicates = 0;
      this.#arm();
    } else if (offset === this.#una && segment.data.length === 0 && ++this.#duplicates % 3 === 0) {
      this.#sent = this.#una;
    }
    this.#pump();
  }

  #data(segment: ReceivedTcp): void {
    const ahead = (segment.sequence - this.#next) | 0;
    if (ahead <= 0 && !this.finReceived) {
      const fresh = segment.data.subarray(Math.min(-ahead, segment.data.length));
      const taken = fresh.subarray(0, this.#room());
      for (const byte of taken) this.received.push(byte);
      this.#unread += taken.length;
      this.#next = (this.#next + taken.length) >>> 0;
      const end = (segment.sequence + segment.data.length) >>> 0;
      if (segment.flags & FIN && end === this.#next) {
        this.finReceived = true;
        this.#next = (this.#next + 1) >>> 0;
      }
      this.#read();
    }
    this.#ack();
  }

  #read(): void {
    if (this.#unread === 0 || this.#reader !== undefined) return;
    this.#reader = this.#o.clock.at(this.#o.clock.nowNs() + 10e6, () => {
      this.#reader = undefined;
      if (this.reset) return;
      const before = this.#room();
      this.#unread = Math.max(0, this.#unread - this.#o.readPerTick);
      if (before < this.#o.mss && this.#room() >= this.#o.mss) this.#ack();
      this.#read();
    });
  }

  #room(): number {
    return this.#o.buffer - this.#unread;
  }

  #pump(): void {
    for (;;) {
      const size = Math.min(
        this.#mss,
        this.#toSend.length - this.#sent,
        this.#una + this.#window - this.#sent,
      );
      if (size <= 0) break;
      this.#emit(ACK, this.#sequence(this.#sent), this.#toSend.slice(this.#sent, this.#sent + size));
      this.#sent += size;
    }
    if (this.#finWanted && this.#sent === this.#toSend.length) {
      this.#emit(ACK | FIN, this.#sequence(this.#sent), []);
      this.#sent++;
    }
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    const all = this.#toSend.length + (this.#finWanted ? 1 : 0);
    if (this.#una >= all || this.reset) return;
    this.#timer = this.#o.clock.at(this.#o.clock.nowNs() + RTO_NS, () => this.#timeout());
  }

  #timeout(): void {
    if (this.#una < 0) {
      const flags = this.#opening ? SYN : SYN | ACK;
      if (this.#opening || this.#synced) this.#emit(flags, this.#o.initialSequence, [], this.#synOptions());
    } else {
      this.#sent = this.#una;
      // A closed window is probed with a byte.
      if (this.#window === 0 && this.#toSend.length > this.#una) {
        this.#emit(ACK, this.#sequence(this.#una), [this.#toSend[this.#una]!]);
      } else this.#pump();
    }
    this.#arm();
  }

  #ack(): void {
    this.#emit(ACK, this.#sequence(this.#sent), []);
  }

  #sequence(offset: number): number {
    return (this.#o.initialSequence + 1 + offset) >>> 0;
  }

  #emit(flags: number, sequence: number, data: readonly number[], options: readonly number[] = []): void {
    const room = Math.max(0, this.#room());
    const scale = flags & SYN || !this.#synced ? 0 : Math.max(0, this.#o.scale);
    this.#o.emit(
      tcpFrame(this.#o.remote, {
        sourcePort: this.#o.port,
        destinationPort: this.#o.remotePort,
        sequence,
        acknowledgment: flags & ACK ? this.#next : 0,
        flags,
        window: Math.min(65_535, room >> scale),
        options,
        data: Uint8Array.from(data),
      }),
    );
  }
}
