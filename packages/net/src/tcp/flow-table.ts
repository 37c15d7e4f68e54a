/** What finds a connection. */
export interface FlowKey {
  readonly guest: number;
  readonly guestPort: number;
  readonly remote: number;
  readonly remotePort: number;
}

/** Connections by addresses and ports. Allocates nothing to look one up. */
export class FlowTable<T extends FlowKey> {
  /** By remote end, then by guest end. */
  readonly #byRemote = new Map<number, Map<number, T>>();
  /** Segments come in runs. */
  #last: T | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(guest: number, guestPort: number, remote: number, remotePort: number): T | undefined {
    const last = this.#last;
    if (
      last !== undefined &&
      last.guestPort === guestPort &&
      last.remotePort === remotePort &&
      last.remote === remote &&
      last.guest === guest
    ) {
      return last;
    }
    const found = this.#byRemote.get(remote * 65_536 + remotePort)?.get(guestKey(guest, guestPort));
    if (found !== undefined) this.#last = found;
    return found;
  }

  add(flow: T): void {
    const key = flow.remote * 65_536 + flow.remotePort;
    let inner = this.#byRemote.get(key);
    if (inner === undefined) this.#byRemote.set(key, (inner = new Map()));
    inner.set(guestKey(flow.guest, flow.guestPort), flow);
    this.#size++;
  }

  remove(flow: T): void {
    const key = flow.remote * 65_536 + flow.remotePort;
    const inner = this.#byRemote.get(key);
    if (this.#last === flow) this.#last = undefined;
    if (inner?.get(guestKey(flow.guest, flow.guestPort)) !== flow) return;
    inner.delete(guestKey(flow.guest, flow.guestPort));
    if (inner.size === 0) this.#byRemote.delete(key);
    this.#size--;
  }

  *values(): Generator<T> {
    for (const inner of this.#byRemote.values()) yield* inner.values();
  }
}

/** The guest's network is a /24: the last byte of the address tells its stations apart. */
function guestKey(guest: number, port: number): number {
  return ((guest & 255) << 16) | port;
}
