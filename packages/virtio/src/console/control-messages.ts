import type { Virtqueue } from '../queue/virtqueue.ts';
import { CONTROL_BYTES } from './registers.ts';

/** What waits for the driver; more is dropped: it is a driver that asks and never listens. */
const PENDING_BYTES = 32 * 1024;
const LENGTH_BYTES = 2;

/** One control message. `payload` follows the header. */
export function controlMessage(
  id: number,
  event: number,
  value: number,
  payload: Uint8Array = NO_PAYLOAD,
): Uint8Array {
  const message = new Uint8Array(CONTROL_BYTES + payload.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, id, true);
  view.setUint16(4, event, true);
  view.setUint16(6, value, true);
  message.set(payload, CONTROL_BYTES);
  return message;
}

const NO_PAYLOAD = new Uint8Array(0);

/** Control messages to the driver, in order, until it has buffers for them. */
export class ControlMessages {
  /** Grows with every message that comes or goes. */
  revision = 0;
  #waiting: Uint8Array[] = [];
  #bytes = 0;

  add(message: Uint8Array): void {
    if (this.#bytes + message.length + LENGTH_BYTES > PENDING_BYTES) return;
    this.revision++;
    this.#waiting.push(message);
    this.#bytes += message.length + LENGTH_BYTES;
  }

  /** Hands over as many as the driver has buffers for. A buffer that is too small gets what fits. */
  deliver(queue: Virtqueue): void {
    while (this.#waiting.length > 0) {
      const element = queue.pop();
      if (element === undefined) break;
      const message = this.#waiting.shift()!;
      this.revision++;
      this.#bytes -= message.length + LENGTH_BYTES;
      queue.push(element, element.write(0, message));
    }
    queue.signal();
  }

  clear(): void {
    this.revision++;
    this.#waiting = [];
    this.#bytes = 0;
  }

  /** Each message with its length before it. */
  save(): Uint8Array {
    const bytes = new Uint8Array(this.#bytes);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (const message of this.#waiting) {
      view.setUint16(at, message.length, true);
      bytes.set(message, at + LENGTH_BYTES);
      at += LENGTH_BYTES + message.length;
    }
    return bytes;
  }

  /** @returns false when the bytes are no messages; it is then empty. */
  load(bytes: Uint8Array): boolean {
    this.clear();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length;) {
      const length = at + LENGTH_BYTES <= bytes.length ? view.getUint16(at, true) : 0;
      const end = at + LENGTH_BYTES + length;
      if (length < CONTROL_BYTES || end > bytes.length) {
        this.clear();
        return false;
      }
      this.add(bytes.slice(at + LENGTH_BYTES, end));
      at = end;
    }
    return true;
  }
}
