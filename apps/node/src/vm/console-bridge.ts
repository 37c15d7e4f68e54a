import type { CharBackend } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { deviceService } from '@polyvisor/proto/service/device';
import type { ServiceClient } from '@polyvisor/rpc/channel';

type DeviceClient = ServiceClient<typeof deviceService>;
type ConsoleStream = ReturnType<DeviceClient['console']>;

/** A terminal of a device host's, for as many device hosts as the VM has one after another. */
export interface ConsoleBridge {
  /** A device host is there. */
  connect(client: DeviceClient): void;
  /** The terminal has another size. */
  resize(columns: number, rows: number): void;
  /** Ends it; resolves when all output up to now is there, or after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
  close(): void;
}

/**
 * Joins a port of a serial or console device with a backend of this process. What is typed while no device host is
 * there waits with whoever types.
 */
export function bridgeConsole(device: string, port: number, backend: CharBackend): ConsoleBridge {
  return new Bridge(device, port, backend);
}

class Bridge implements ConsoleBridge {
  readonly #device: string;
  readonly #port: number;
  readonly #backend: CharBackend;
  #stream: ConsoleStream | undefined;
  #full = false;
  #size: { columns: number; rows: number } | undefined;
  #over = false;

  constructor(device: string, port: number, backend: CharBackend) {
    this.#device = device;
    this.#port = port;
    this.#backend = backend;
    backend.onInput((bytes) => this.#type(bytes));
  }

  connect(client: DeviceClient): void {
    if (this.#over) return;
    this.#stream?.close();
    const stream = client.console();
    this.#stream = stream;
    this.#full = false;
    stream.onMessage(({ output }) => this.#backend.write(output));
    stream.onDrain(() => {
      this.#full = false;
      if (this.#stream === stream) this.#backend.resume();
    });
    stream.send({ device: this.#device, port: this.#port, ...this.#size });
    void stream.closed.then((error) => {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      // This side was too slow, and may listen again. A device host that is dead is followed by another one.
      if (error instanceof PolyvisorError && error.code === 'limit') this.connect(client);
    });
    this.#backend.resume();
  }

  #type(bytes: Uint8Array): number {
    if (this.#stream === undefined || this.#full) return 0;
    this.#full = !this.#stream.send({ input: bytes.slice() });
    return bytes.length;
  }

  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    this.#stream?.send({ columns, rows });
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#over = true;
    const stream = this.#stream;
    if (stream === undefined) return;
    const late = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref());
    stream.end();
    await Promise.race([stream.closed, late]);
  }

  close(): void {
    this.#over = true;
    this.#stream?.close();
    this.#stream = undefined;
  }
}
