import { IPV4_HEADER, type Ipv4Packet } from './ipv4.ts';

/** Datagrams being put together at one time. */
const DATAGRAMS = 32;
/** Fragments of one datagram: a 64 KiB datagram over the smallest common MTU has 120. */
const FRAGMENTS = 256;
const LIFETIME_MS = 15_000;
const PAYLOAD_LIMIT = 65_535 - IPV4_HEADER;

interface Partial {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly identification: number;
  readonly bornMs: number;
  /** Starts and ends of what arrived, in order of arrival. */
  readonly starts: number[];
  readonly ends: number[];
  received: number;
  /** Of the whole payload; -1 until the last fragment has arrived. */
  total: number;
  bytes: Uint8Array;
}

/** Counts that a {@link Reassembly} keeps. */
export interface ReassemblyCounters {
  fragmentsDropped: number;
  datagramsReassembled: number;
}

/**
 * Puts fragmented datagrams together (RFC 791, section 3.2). Holds at most 32 datagrams for 15 seconds each; a new
 * one takes the oldest one's place. A datagram whose fragments overlap is dropped whole: no stack sends such (RFC 5722
 * gives the reason).
 */
export class Reassembly {
  readonly #partials: Partial[] = [];
  readonly #counters: ReassemblyCounters;

  constructor(counters: ReassemblyCounters) {
    this.#counters = counters;
  }

  /** How many datagrams are incomplete. */
  get size(): number {
    return this.#partials.length;
  }

  /**
   * Takes a fragment. When the datagram is whole, `packet` becomes it.
   * @returns whether it is whole.
   */
  add(packet: Ipv4Packet, nowMs: number): boolean {
    this.#expire(nowMs);
    const start = packet.fragmentOffset;
    const end = start + packet.payloadLength;
    const partial = this.#find(packet, nowMs);
    if (!this.#fits(partial, packet, start, end)) {
      this.#drop(partial);
      return false;
    }
    partial.starts.push(start);
    partial.ends.push(end);
    if (partial.bytes.length < end) {
      const grown = new Uint8Array(Math.min(PAYLOAD_LIMIT, Math.max(end, partial.bytes.length * 2)));
      grown.set(partial.bytes);
      partial.bytes = grown;
    }
    partial.bytes.set(packet.bytes.subarray(packet.payload, packet.payload + packet.payloadLength), start);
    partial.received += packet.payloadLength;
    if (!packet.moreFragments) partial.total = end;
    if (partial.received !== partial.total) return false;
    this.#partials.splice(this.#partials.indexOf(partial), 1);
    this.#counters.datagramsReassembled++;
    const header = packet.bytes.slice(packet.header, packet.header + IPV4_HEADER);
    const whole = new Uint8Array(IPV4_HEADER + partial.total);
    whole.set(header);
    whole.set(partial.bytes.subarray(0, partial.total), IPV4_HEADER);
    packet.bytes = whole;
    packet.header = 0;
    packet.payload = IPV4_HEADER;
    packet.payloadLength = partial.total;
    packet.fragmentOffset = 0;
    packet.moreFragments = false;
    return true;
  }

  clear(): void {
    this.#partials.length = 0;
  }

  #fits(partial: Partial, packet: Ipv4Packet, start: number, end: number): boolean {
    if (packet.payloadLength === 0 || end > PAYLOAD_LIMIT || partial.starts.length >= FRAGMENTS) return false;
    // All but the last carry whole groups of eight bytes.
    if (packet.moreFragments && packet.payloadLength % 8 !== 0) return false;
    if (!packet.moreFragments && partial.total !== -1) return false;
    if (partial.total !== -1 && end > partial.total) return false;
    for (let index = 0; index < partial.starts.length; index++) {
      if (start < partial.ends[index]! && end > partial.starts[index]!) return false;
      if (!packet.moreFragments && partial.ends[index]! > end) return false;
    }
    return true;
  }

  #find(packet: Ipv4Packet, nowMs: number): Partial {
    const found = this.#partials.find(
      (each) =>
        each.identification === packet.identification &&
        each.source === packet.source &&
        each.destination === packet.destination &&
        each.protocol === packet.protocol,
    );
    if (found !== undefined) return found;
    if (this.#partials.length >= DATAGRAMS) this.#drop(this.#partials[0]!);
    const partial: Partial = {
      source: packet.source,
      destination: packet.destination,
      protocol: packet.protocol,
      identification: packet.identification,
      bornMs: nowMs,
      starts: [],
      ends: [],
      received: 0,
      total: -1,
      bytes: new Uint8Array(0),
    };
    this.#partials.push(partial);
    return partial;
  }

  #expire(nowMs: number): void {
    while (this.#partials.length > 0 && nowMs - this.#partials[0]!.bornMs > LIFETIME_MS) {
      this.#drop(this.#partials[0]!);
    }
  }

  #drop(partial: Partial): void {
    this.#counters.fragmentsDropped += Math.max(1, partial.starts.length);
    this.#partials.splice(this.#partials.indexOf(partial), 1);
  }
}
