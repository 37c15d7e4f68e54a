import { Congestion } from './congestion.ts';
import { ReceiveWindow } from './receive-window.ts';
import { ReorderQueue } from './reorder-queue.ts';
import { RtoEstimator } from './rto-estimator.ts';
import { ACK, FIN, PSH, RST, SYN, type TcpSegment } from './segment.ts';
import { SendQueue } from './send-queue.ts';
import { receivingStates, sendingStates } from './tcp-user.ts';
import type { TcpEnd, TcpNetwork, TcpState, TcpUser } from './tcp-user.ts';

const TIME_WAIT_MS = 5_000;
/** A guest that boots can take long to answer its first SYN, and then should not wait for the next one. */
const SYN_INTERVAL_MS = 4_000;
const SYN_PATIENCE_MS = 75_000;
/** Retransmissions of one segment; with back-off about six minutes. */
const RETRIES = 12;
const KEEPALIVE_IDLE_MS = 7_200_000;
const KEEPALIVE_INTERVAL_MS = 75_000;
const KEEPALIVE_PROBES = 9;

/** One end of a TCP connection (RFC 9293, 7323 window scaling, 5681 and 6582 congestion, 6298 timer, 5961 challenges). */
export class TcpEndpoint {
  /** What is to be sent; offsets in {@link TcpNetwork.transmit} count from its first byte. */
  readonly queue: SendQueue = new SendQueue();
  readonly #user: TcpUser;
  readonly #network: TcpNetwork;
  readonly #congestion: Congestion;
  readonly #rto = new RtoEstimator();
  readonly #reorder = new ReorderQueue();
  #state: TcpState = 'closed';

  #initialSend: number;
  #una: number;
  #next: number;
  /** Highest sequence number sent. */
  #max: number;
  /** Sequence number of the queue's first byte. */
  #queueSequence: number;
  #sendWindow = 0;
  #sendScale = 0;
  #largestWindow = 0;
  /** Segment and acknowledgment of the last window update. */
  #windowSequence = 0;
  #windowAck = 0;
  #segment: number;
  #finQueued = false;

  #initialReceive = 0;
  readonly #window = new ReceiveWindow();
  #finReceived = false;
  /** Where the peer's FIN stands, when it came before the data in front of it. */
  #finAhead: number | undefined;
  #ackPending = false;

  #timing = false;
  #timedSequence = 0;
  #timedAtMs = 0;
  /** 0: not running. */
  #retransmitAtMs = 0;
  #expireAtMs = 0;
  #heardMs: number;
  #startedMs: number;
  #retries = 0;
  #keepaliveProbes = 0;
  #probing = false;

  /** @param segment the largest payload that our side of the link takes. */
  constructor(segment: number, initialSequence: number, user: TcpUser, network: TcpNetwork) {
    this.#user = user;
    this.#network = network;
    this.#segment = segment;
    this.#congestion = new Congestion(segment);
    this.#initialSend = this.#una = this.#next = this.#max = initialSequence | 0;
    this.#queueSequence = (initialSequence + 1) | 0;
    this.#heardMs = this.#startedMs = network.nowMs();
  }

  get state(): TcpState {
    return this.#state;
  }

  /** Acknowledgment number for the next segment. */
  get acknowledgment(): number {
    return this.#window.next;
  }

  /** Payload of a segment that both ends of the link can take whole. */
  get segmentBytes(): number {
    return this.#segment;
  }

  /** Scale for our SYN; -1: none. */
  get synScale(): number {
    return this.#window.scale;
  }

  /** Window field for the next segment; opens the window as far as there is room. */
  advertise(syn: boolean): number {
    return this.#window.advertise(this.#user.room(), this.#segment, syn);
  }

  /** A peer's SYN: keeps it until {@link accept} or {@link refuse}. */
  hold(segment: TcpSegment): void {
    this.#takeSyn(segment);
    this.#state = 'held';
    this.#windowOf(segment, true);
  }

  /** Answers the SYN held. */
  accept(): void {
    this.#state = 'syn-received';
    this.#startedMs = this.#network.nowMs();
    this.#sendSyn();
  }

  /** Refuses the SYN held. */
  refuse(): void {
    if (this.#state !== 'held') return;
    this.#network.transmit(RST | ACK, 0, 0, 0, true);
    this.#close();
  }

  /** Forgets the connection without a word. */
  forget(): void {
    this.#close();
  }

  /** Opens a connection to the peer. */
  connect(): void {
    this.#state = 'syn-sent';
    this.#sendSyn();
  }

  /** Takes over bytes to send. */
  send(chunk: Uint8Array): void {
    if (this.#finQueued || this.#state === 'closed') return;
    this.queue.push(chunk);
    this.#network.touch();
  }

  /** No more bytes to send: FIN after what is queued. */
  end(): void {
    if (this.#finQueued || this.#state === 'closed') return;
    this.#finQueued = true;
    this.#network.touch();
  }

  /** Resets the connection. */
  abort(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'held') {
      this.refuse();
      return;
    }
    if (this.#state !== 'time-wait' && this.#state !== 'syn-sent') {
      this.#network.transmit(RST | ACK, this.#next, 0, 0, true);
    }
    this.#close();
  }

  /** The user has room again. Tells the peer when that is worth a segment. */
  roomGrown(): void {
    if (!this.#receives()) return;
    if (!this.#window.isWorthTelling(this.#user.room(), this.#segment)) return;
    this.#ackPending = true;
    this.#network.touch();
  }

  /** Sends what can be sent. */
  flush(): void {
    if (this.#sends()) this.#sendData();
    if (this.#ackPending && this.#state !== 'closed' && this.#state !== 'held') {
      this.#ackPending = false;
      this.#network.transmit(ACK, this.#next, 0, 0, true);
    }
    this.#arm();
  }

  /** Time has passed; see {@link TcpNetwork.arm}. */
  timer(): void {
    const now = this.#network.nowMs();
    if (this.#state === 'closed') return;
    if (this.#expireAtMs !== 0 && now >= this.#expireAtMs) {
      this.#finish('finished');
      return;
    }
    if (this.#retransmitAtMs !== 0 && now >= this.#retransmitAtMs) this.#timedOut(now);
    else if (this.#keepaliveAt() <= now) this.#keepAlive();
    this.#arm();
  }

  /** Handles a segment from the peer. */
  input(segment: TcpSegment): void {
    this.#heardMs = this.#network.nowMs();
    this.#keepaliveProbes = 0;
    if (this.#state === 'closed') return;
    if (this.#state === 'held') {
      if ((segment.flags & RST) !== 0) this.#finish('reset');
    } else if (this.#state === 'syn-sent') this.#inputSynSent(segment);
    else this.#inputSynchronized(segment);
    this.#arm();
  }

  #inputSynSent(segment: TcpSegment): void {
    const { flags } = segment;
    const acknowledges = (flags & ACK) !== 0;
    if (acknowledges && segment.acknowledgment !== this.#max) {
      if ((flags & RST) === 0) this.#network.transmit(RST, segment.acknowledgment, 0, 0, true);
      return;
    }
    if ((flags & RST) !== 0) {
      if (acknowledges) this.#finish('reset');
      return;
    }
    if ((flags & SYN) === 0) return;
    this.#takeSyn(segment);
    this.#windowOf(segment, true);
    if (!acknowledges) {
      // Both ends opened at once (RFC 9293, figure 7).
      this.#state = 'syn-received';
      this.#next = this.#initialSend;
      this.#sendSyn();
      return;
    }
    this.#state = 'established';
    this.#advance(segment.acknowledgment);
    this.#acknowledgeSoon();
    this.#user.opened();
  }

  #inputSynchronized(segment: TcpSegment): void {
    const { flags, payloadLength } = segment;
    const length = payloadLength + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    const window = this.#window.size;
    const ahead = (segment.sequence - this.#window.next) | 0;
    const inside =
      length === 0 ? ahead === 0 || (ahead > 0 && ahead < window) : ahead < window && ahead + length > 0;
    if (!inside) {
      this.#outside(segment, ahead);
      return;
    }
    if ((flags & RST) !== 0) {
      if (ahead === 0) this.#finish('reset');
      else this.#acknowledgeSoon();
      return;
    }
    if ((flags & SYN) !== 0) {
      this.#acknowledgeSoon();
      return;
    }
    if ((flags & ACK) === 0) return;
    if (this.#state === 'syn-received') {
      if (segment.acknowledgment !== this.#max) {
        this.#network.transmit(RST, segment.acknowledgment, 0, 0, true);
        return;
      }
      this.#state = 'established';
      this.#windowOf(segment, true);
      this.#advance(segment.acknowledgment);
      this.#user.opened();
      this.#network.touch();
    } else if (!this.#acknowledged(segment)) return;
    if (this.#receives() && length > 0) this.#receive(segment, ahead);
  }

  /** A segment without a byte inside the window. */
  #outside(segment: TcpSegment, ahead: number): void {
    if ((segment.flags & RST) !== 0) {
      // An empty window still hears a reset at its edge.
      if (ahead === 0) this.#finish('reset');
      return;
    }
    if (this.#state === 'syn-received' && segment.sequence === this.#initialReceive && segment.flags & SYN) {
      this.#next = this.#initialSend;
      this.#sendSyn();
      return;
    }
    if (this.#state === 'time-wait') this.#expireAtMs = this.#network.nowMs() + TIME_WAIT_MS;
    // Probes of a closed window carry acknowledgments that count.
    const probe = ahead === 0 && (segment.flags & (ACK | SYN)) === ACK && this.#state !== 'syn-received';
    if (probe && !this.#acknowledged(segment)) return;
    if (this.#state !== 'closed') this.#acknowledgeSoon();
  }

  /** Takes the acknowledgment and window of a segment. @returns false when the segment is not to be used further. */
  #acknowledged(segment: TcpSegment): boolean {
    const { acknowledgment, payloadLength, flags } = segment;
    if (((acknowledgment - this.#max) | 0) > 0) {
      this.#acknowledgeSoon();
      return false;
    }
    const advanced = (acknowledgment - this.#una) | 0;
    const windowBefore = this.#sendWindow;
    if (advanced >= 0) this.#windowOf(segment, false);
    if (advanced > 0) {
      this.#advance(acknowledgment);
      if ((this.#state as TcpState) === 'closed') return false;
    } else if (
      advanced === 0 &&
      payloadLength === 0 &&
      (flags & FIN) === 0 &&
      this.#sendWindow === windowBefore &&
      windowBefore > 0 &&
      this.#max !== this.#una
    ) {
      const inFlight = (this.#max - this.#una) | 0;
      if (this.#congestion.duplicate(this.#una, this.#max, inFlight)) this.#resend();
    }
    if (this.#sendWindow === 0) this.#retries = 0;
    else if (this.#probing) {
      // The byte beyond the window was probably thrown away.
      this.#probing = false;
      this.#next = this.#una;
    }
    if (this.queue.length > 0 || this.#finQueued) this.#network.touch();
    return true;
  }

  /** Everything before `acknowledgment`, which is new, has arrived. */
  #advance(acknowledgment: number): void {
    const count = (acknowledgment - this.#una) | 0;
    const inQueue = Math.min((acknowledgment - this.#queueSequence) | 0, this.queue.length);
    this.#una = acknowledgment;
    if (((this.#next - acknowledgment) | 0) < 0) this.#next = acknowledgment;
    if (inQueue > 0) {
      this.queue.drop(inQueue);
      this.#queueSequence = (this.#queueSequence + inQueue) | 0;
    }
    const now = this.#heardMs;
    if (this.#timing && ((acknowledgment - this.#timedSequence) | 0) > 0) {
      this.#timing = false;
      this.#rto.sample(now - this.#timedAtMs);
    } else this.#rto.settle();
    this.#retries = 0;
    this.#retransmitAtMs = this.#max === acknowledgment ? 0 : now + this.#rto.rto;
    if (this.#congestion.acknowledged(acknowledgment, count)) this.#resend();
    if (inQueue > 0) this.#user.drained();
    // Our FIN is the one sequence number behind the queue.
    const finAcknowledged = this.#finQueued && ((acknowledgment - this.#queueSequence) | 0) === 1;
    if (finAcknowledged) this.#finAcknowledged();
  }

  #finAcknowledged(): void {
    if (this.#state === 'fin-wait-1') this.#state = 'fin-wait-2';
    else if (this.#state === 'closing') this.#timeWait();
    else if (this.#state === 'last-ack') this.#finish('finished');
  }

  #windowOf(segment: TcpSegment, first: boolean): void {
    const newer = (segment.sequence - this.#windowSequence) | 0;
    const sameAndLater = newer === 0 && ((segment.acknowledgment - this.#windowAck) | 0) >= 0;
    if (!first && newer <= 0 && !sameAndLater) return;
    this.#windowSequence = segment.sequence;
    this.#windowAck = segment.acknowledgment;
    this.#sendWindow = segment.flags & SYN ? segment.window : segment.window << this.#sendScale;
    this.#largestWindow = Math.max(this.#largestWindow, this.#sendWindow);
  }

  /** Takes data and FIN of a segment that overlaps the window. */
  #receive(segment: TcpSegment, ahead: number): void {
    const { bytes, sequence } = segment;
    let start = segment.payload;
    let { payloadLength: length } = segment;
    let fin = (segment.flags & FIN) !== 0;
    const finAt = (sequence + length) | 0;
    if (ahead < 0) {
      start -= ahead;
      length += ahead;
    }
    const at = Math.max(0, ahead);
    const beyond = at + length - this.#window.size;
    if (beyond > 0) {
      length -= beyond;
      fin = false;
    }
    if (fin) this.#finAhead = finAt;
    if (at === 0) {
      if (length > 0) this.#take(bytes, start, length);
      if (this.#reorder.size > 0) {
        for (
          let more = this.#reorder.take(this.#window.next);
          more !== undefined;
          more = this.#reorder.take(this.#window.next)
        ) {
          this.#take(more, 0, more.length);
        }
      }
      this.#acknowledgeSoon();
    } else {
      if (length > 0) this.#reorder.add((this.#window.next + at) | 0, bytes, start, length);
      // At once, each one: the peer counts them.
      this.#network.transmit(ACK, this.#next, 0, 0, true);
    }
    if (this.#finAhead !== undefined && ((this.#finAhead - this.#window.next) | 0) <= 0) this.#takeFin();
  }

  #take(bytes: Uint8Array, start: number, length: number): void {
    this.#window.next = (this.#window.next + length) | 0;
    this.#user.deliver(bytes, start, length);
  }

  #takeFin(): void {
    if (this.#finReceived) return;
    this.#finReceived = true;
    this.#window.next = (this.#window.next + 1) | 0;
    this.#reorder.clear();
    this.#acknowledgeSoon();
    if (this.#state === 'established') this.#state = 'close-wait';
    else if (this.#state === 'fin-wait-1') this.#state = 'closing';
    else if (this.#state === 'fin-wait-2') this.#timeWait();
    this.#user.peerClosed();
  }

  #takeSyn(segment: TcpSegment): void {
    this.#initialReceive = segment.sequence;
    this.#window.start(segment.sequence, segment.scale >= 0);
    this.#segment = Math.min(this.#segment, segment.mss);
    this.#congestion.start(this.#segment);
    this.#sendScale = Math.max(0, segment.scale);
  }

  #sendSyn(): void {
    const flags = this.#state === 'syn-sent' ? SYN : SYN | ACK;
    this.#network.transmit(flags, this.#initialSend, 0, 0, true);
    const now = this.#network.nowMs();
    if (this.#max === this.#initialSend) {
      this.#timing = true;
      this.#timedSequence = this.#initialSend;
      this.#timedAtMs = now;
    } else this.#timing = false;
    this.#next = this.#max = (this.#initialSend + 1) | 0;
    this.#retransmitAtMs = now + Math.min(SYN_INTERVAL_MS, this.#rto.rto);
    this.#arm();
  }

  #sendData(): void {
    const segment = this.#segment;
    const largest = Math.max(segment, this.#network.largest());
    for (;;) {
      const offset = (this.#next - this.#queueSequence) | 0;
      const available = this.queue.length - offset;
      const window = Math.min(this.#sendWindow, this.#congestion.window);
      const usable = (this.#una + window - this.#next) | 0;
      let length = Math.max(0, Math.min(available, largest, usable));
      // What follows a large segment starts where a whole small one ended.
      if (length > segment && length < available) length -= length % segment;
      const fin = this.#finQueued && length === available;
      if (length === 0 && !fin) break;
      const cut = length < available && length < segment;
      // Silly windows (RFC 9293, section 3.8.6.2.1): wait for more room while something is under way.
      if (cut && length < this.#largestWindow / 2 && this.#next !== this.#una) break;
      if (!this.#transmitData(offset, length, fin, length === available)) return;
    }
    const idle = this.#max === this.#una;
    const stuck = this.queue.length > 0 && this.#next === this.#una;
    if (idle && stuck && this.#retransmitAtMs === 0) {
      this.#retransmitAtMs = this.#network.nowMs() + this.#rto.rto;
    }
  }

  /** @returns false when the link took nothing. */
  #transmitData(offset: number, length: number, fin: boolean, push: boolean): boolean {
    const sequence = (this.#queueSequence + offset) | 0;
    const flags = ACK | (push && length > 0 ? PSH : 0) | (fin ? FIN : 0);
    if (!this.#network.transmit(flags, sequence, offset, length, false)) return false;
    this.#ackPending = false;
    const now = this.#network.nowMs();
    const end = (sequence + length + (fin ? 1 : 0)) | 0;
    if (((sequence - this.#max) | 0) < 0) this.#network.retransmitted();
    else if (!this.#timing) {
      this.#timing = true;
      this.#timedSequence = sequence;
      this.#timedAtMs = now;
    }
    if (((end - this.#next) | 0) > 0) this.#next = end;
    if (((end - this.#max) | 0) > 0) this.#max = end;
    if (this.#retransmitAtMs === 0) this.#retransmitAtMs = now + this.#rto.rto;
    if (fin) {
      if (this.#state === 'established') this.#state = 'fin-wait-1';
      else if (this.#state === 'close-wait') this.#state = 'last-ack';
    }
    return true;
  }

  /** Sends the first segment that was not acknowledged once more. */
  #resend(): void {
    const length = Math.min(this.#segment, this.queue.length, (this.#max - this.#una) | 0);
    const fin = this.#finQueued && length === this.queue.length && ((this.#max - this.#una) | 0) > length;
    if (!this.#sends() || (length <= 0 && !fin)) return;
    // Karn: what was sent twice measures nothing.
    this.#timing = false;
    this.#transmitData(0, length, fin, fin);
  }

  #timedOut(now: number): void {
    if (this.#state === 'syn-sent' || this.#state === 'syn-received') {
      if (now - this.#startedMs > SYN_PATIENCE_MS) {
        this.#finish('timeout');
        return;
      }
      this.#rto.backOff();
      this.#next = this.#initialSend;
      this.#network.retransmitted();
      this.#sendSyn();
      return;
    }
    this.#retransmitAtMs = 0;
    this.#timing = false;
    if (this.#sendWindow === 0 && this.queue.length > 0) {
      this.#probeWindow(now);
      return;
    }
    if (this.#max === this.#una) {
      this.#sendData();
      return;
    }
    if (++this.#retries > RETRIES) {
      this.#network.transmit(RST | ACK, this.#next, 0, 0, true);
      this.#finish('timeout');
      return;
    }
    this.#congestion.timedOut(this.#max, (this.#max - this.#una) | 0);
    this.#rto.backOff();
    this.#next = this.#una;
    this.#sendData();
    // Nothing went out where the guest takes no frames: that is no reason to give up.
    if (this.#retransmitAtMs === 0) {
      this.#retries--;
      this.#retransmitAtMs = now + this.#rto.rto;
    }
  }

  /** One byte beyond a closed window, again and again (RFC 9293, section 3.8.6.1). */
  #probeWindow(now: number): void {
    if (++this.#retries > RETRIES) {
      this.#finish('timeout');
      return;
    }
    this.#probing = true;
    this.#next = this.#una;
    this.#transmitData(0, 1, false, true);
    this.#timing = false;
    this.#rto.backOff();
    this.#retransmitAtMs = now + this.#rto.rto;
  }

  #keepAlive(): void {
    if (++this.#keepaliveProbes > KEEPALIVE_PROBES) {
      this.#network.transmit(RST | ACK, this.#next, 0, 0, true);
      this.#finish('timeout');
      return;
    }
    this.#network.transmit(ACK, (this.#una - 1) | 0, 0, 0, true);
  }

  #keepaliveAt(): number {
    return this.#heardMs + KEEPALIVE_IDLE_MS + this.#keepaliveProbes * KEEPALIVE_INTERVAL_MS;
  }

  #arm(): void {
    if (this.#state === 'closed') return;
    let deadline = this.#keepaliveAt();
    if (this.#expireAtMs !== 0) deadline = Math.min(deadline, this.#expireAtMs);
    if (this.#retransmitAtMs !== 0) deadline = Math.min(deadline, this.#retransmitAtMs);
    this.#network.arm(deadline);
  }

  #acknowledgeSoon(): void {
    this.#ackPending = true;
    this.#network.touch();
  }

  #timeWait(): void {
    this.#state = 'time-wait';
    this.#retransmitAtMs = 0;
    this.#expireAtMs = this.#network.nowMs() + TIME_WAIT_MS;
  }

  #finish(how: TcpEnd): void {
    this.#close();
    this.#user.closed(how);
  }

  #close(): void {
    this.#state = 'closed';
    this.#retransmitAtMs = this.#expireAtMs = 0;
    this.queue.clear();
    this.#reorder.clear();
  }

  /** Whether data and FIN may go out. */
  #sends(): boolean {
    return sendingStates.has(this.#state);
  }

  /** Whether the peer may still send data. */
  #receives(): boolean {
    return receivingStates.has(this.#state);
  }
}
