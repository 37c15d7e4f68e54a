/** Scale of the windows that are advertised: up to 2 MiB. */
const SCALE = 5;

/** What the peer may send: from the next byte expected to an edge that never moves back. Sequence numbers are signed 32-bit. */
export class ReceiveWindow {
  /** The next byte expected. */
  next = 0;
  #edge = 0;
  #scale = SCALE;

  /** Bytes that may come. */
  get size(): number {
    return Math.max(0, (this.#edge - this.next) | 0);
  }

  /** For our SYN; -1: none. */
  get scale(): number {
    return this.#scale === 0 ? -1 : this.#scale;
  }

  /** The peer's SYN came. @param scales whether it offered to scale windows. */
  start(sequence: number, scales: boolean): void {
    this.next = this.#edge = (sequence + 1) | 0;
    if (!scales) this.#scale = 0;
  }

  /**
   * Opens the window as far as there is room, in steps of a segment: small ones would be answered by small segments
   * (RFC 9293, section 3.8.6.2.2).
   * @returns the window field.
   */
  advertise(room: number, segment: number, syn: boolean): number {
    const edge = (this.next + this.#limit(room)) | 0;
    if (((edge - this.#edge) | 0) >= segment || syn) this.#edge = edge;
    return Math.min(65_535, syn ? this.size : this.size >>> this.#scale);
  }

  /** Whether the peer should hear of more room at once: it doubles the window, or the window was small. */
  isWorthTelling(room: number, segment: number): boolean {
    const { size } = this;
    const grown = this.#limit(room) - size;
    return grown >= segment && (grown >= size || size <= 4 * segment);
  }

  /** Room as far as a window field can tell it. */
  #limit(room: number): number {
    return Math.min(room, 65_535 << this.#scale);
  }
}
