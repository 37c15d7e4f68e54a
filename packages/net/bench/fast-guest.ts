import { addChecksum, foldChecksum, pseudoHeaderSum } from '../src/ip/checksum.ts';
import type { UserNetwork } from '../src/index.ts';

const HEADERS = 54;
const GUEST_IP = 0x0a00020f;
const GUEST_MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const GATEWAY_MAC = [0x52, 0x55, 10, 0, 2, 2];
const SCALE = 7;

/**
 * A guest for benchmarks: sends as fast as the window lets it, acknowledges every batch, expects a perfect link.
 * Frames of both directions come from one buffer, as with a real device.
 */
export class FastGuest {
  received = 0;
  acknowledged = 0;
  ended = false;
  connected = false;
  readonly #network: UserNetwork;
  readonly #frame: Uint8Array;
  readonly #view: DataView;
  readonly #payload: number;
  readonly #remote: number;
  readonly #port: number;
  #sequence = 1;
  #next = 0;
  #window = 0;
  #scale = 0;
  #ackDue = false;
  #wanted = 0;
  onProgress: () => void = () => {};

  constructor(network: UserNetwork, remote: number, port: number) {
    this.#network = network;
    this.#payload = network.mtu - 40;
    this.#frame = new Uint8Array(14 + network.mtu);
    this.#view = new DataView(this.#frame.buffer);
    this.#remote = remote;
    this.#port = port;
    this.#frame.set([...GATEWAY_MAC, ...GUEST_MAC, 8, 0, 0x45]);
    network.onReceive((frame) => {
      this.#input(frame);
      return true;
    });
  }

  connect(): void {
    this.#emit(2, 0, [2, 4, this.#payload >> 8, this.#payload & 255, 1, 3, 3, SCALE]);
  }

  /** Sends `bytes` more as the window allows. */
  send(bytes: number): void {
    this.#wanted += bytes;
    this.#pump();
  }

  #pump(): void {
    while (this.#wanted > 0) {
      const inFlight = this.#sequence - 2 - this.acknowledged;
      const size = Math.min(this.#payload, this.#wanted, this.#window - inFlight);
      if (size <= 0 || (size < this.#payload && size < this.#wanted)) return;
      this.#wanted -= size;
      this.#emit(16, size);
    }
  }

  #input(frame: Uint8Array): void {
    if (frame[23] !== 6) return;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const flags = frame[47]!;
    if (flags & 4) throw new Error('reset');
    const header = (frame[46]! >> 4) * 4;
    const length = frame.length - 34 - header;
    if (flags & 2) {
      this.#next = (view.getUint32(38) + 1) >>> 0;
      this.#scale = header > 24 ? frame[61]! : 0;
      this.#window = view.getUint16(48);
      this.#sequence = 2;
      this.connected = true;
      this.#emit(16, 0);
      this.onProgress();
      return;
    }
    this.received += length;
    this.#next = (this.#next + length + (flags & 1)) >>> 0;
    if (flags & 1) this.ended = true;
    this.#window = view.getUint16(48) << this.#scale;
    const acknowledged = (view.getUint32(42) - ((this.acknowledged + 2) >>> 0)) | 0;
    if (acknowledged > 0) this.acknowledged += acknowledged;
    if ((length > 0 || flags & 1) && !this.#ackDue) {
      this.#ackDue = true;
      queueMicrotask(() => {
        this.#ackDue = false;
        this.#emit(16, 0);
      });
    }
    if (this.#wanted > 0) queueMicrotask(() => this.#pump());
    this.onProgress();
  }

  #emit(flags: number, length: number, options: readonly number[] = []): void {
    const view = this.#view;
    const tcp = 20 + options.length;
    view.setUint16(16, 20 + tcp + length);
    view.setUint32(18, 0x0001_0000);
    view.setUint32(22, 0x4006_0000);
    view.setUint32(26, GUEST_IP);
    view.setUint32(30, this.#remote);
    view.setUint16(24, foldChecksum(addChecksum(this.#frame, 14, 20)));
    view.setUint16(34, 40_000);
    view.setUint16(36, this.#port);
    view.setUint32(38, this.#sequence >>> 0);
    view.setUint32(42, this.#next);
    view.setUint16(46, ((tcp / 4) << 12) | flags);
    view.setUint16(48, 0xffff);
    view.setUint32(50, 0);
    this.#frame.set(options, HEADERS);
    const total = tcp + length;
    const pseudo = pseudoHeaderSum(GUEST_IP, this.#remote, 6, total);
    view.setUint16(50, foldChecksum(addChecksum(this.#frame, 34, total, pseudo)));
    this.#sequence = (this.#sequence + length) | 0;
    this.#network.send(this.#frame.subarray(0, 34 + total));
  }
}
