import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioConsolePortState, virtioConsoleState } from '@polyvisor/proto/state/virtio-backends';
import { drain } from '../backend/drain.ts';
import type { VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import type { QueueElement } from '../queue/element.ts';
import type { ConsolePort } from './console-port.ts';
import { PortChannel } from './console-port.ts';
import { controlMessage, ControlMessages } from './control-messages.ts';
import * as reg from './registers.ts';

export interface VirtioConsoleOptions {
  /** Size of each port's queues. Default 64. */
  readonly queueSize?: number;
  /** Size of the terminal; absent: the guest isn't told one. */
  readonly columns?: number;
  readonly rows?: number;
  /**
   * Rows before columns in resize messages: against the spec, but what Linux before 6.15 reads, where the fix is not in its stable series.
   * Default false.
   */
  readonly rowsFirst?: boolean;
}

export interface VirtioConsoleDependencies {
  /** 1 to 31; port 0 is the one that a driver without multiport sees. */
  readonly ports: readonly ConsolePort[];
}

/** A console device and what the host may do with it. */
export interface VirtioConsole extends VirtioBackend {
  /** Tells the guest that the terminal of port 0 has another size. Needs a size from the start. */
  resize(columns: number, rows: number): void;
}

const PORTS_LIMIT = 31;
const CONTROL_QUEUE_SIZE = 32;

/**
 * A console device with several ports (VIRTIO 1.3, section 5.3).
 * @throws PolyvisorError `invalid-argument` for no port, `limit` for more than 31.
 */
export function createVirtioConsole(
  options: VirtioConsoleOptions,
  dependencies: VirtioConsoleDependencies,
): VirtioConsole {
  const { length } = dependencies.ports;
  if (length < 1 || length > PORTS_LIMIT) {
    throw new PolyvisorError(length < 1 ? 'invalid-argument' : 'limit', {
      what: 'wrong number of console ports',
      which: String(length),
      limit: `1 to ${PORTS_LIMIT}`,
    });
  }
  return new Console(options, dependencies);
}

class Console implements VirtioConsole {
  readonly deviceId = reg.VIRTIO_ID_CONSOLE;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly config = new Uint8Array(reg.CONFIG_BYTES);
  readonly #view = new DataView(this.config.buffer);
  readonly #ports: readonly ConsolePort[];
  readonly #channels: readonly PortChannel[];
  readonly #state = virtioConsoleState.create();
  readonly #control = new ControlMessages();
  readonly #request = new DataView(new ArrayBuffer(reg.CONTROL_BYTES));
  readonly #requestBytes = new Uint8Array(this.#request.buffer);
  #host: VirtioHost | undefined;
  #multiport = false;
  #quiesced = false;
  /** Of ports' states but for what they have taken. */
  #revision = 0;
  readonly #rowsFirst: boolean;

  constructor(options: VirtioConsoleOptions, { ports }: VirtioConsoleDependencies) {
    const size = options.queueSize ?? 64;
    this.#ports = ports;
    this.#rowsFirst = options.rowsFirst ?? false;
    this.queueSizes = [
      size,
      size,
      CONTROL_QUEUE_SIZE,
      CONTROL_QUEUE_SIZE,
      ...ports.slice(1).flatMap(() => [size, size]),
    ];
    this.features =
      reg.VIRTIO_CONSOLE_F_MULTIPORT |
      reg.VIRTIO_CONSOLE_F_EMERG_WRITE |
      (options.columns === undefined ? 0n : reg.VIRTIO_CONSOLE_F_SIZE);
    this.#view.setUint16(reg.CONFIG_COLS, options.columns ?? 0, true);
    this.#view.setUint16(reg.CONFIG_ROWS, options.rows ?? 0, true);
    this.#view.setUint32(reg.CONFIG_MAX_NR_PORTS, ports.length, true);
    this.#state.ports = ports.map(() => virtioConsolePortState.create());
    this.#channels = ports.map(
      (port, index) => new PortChannel(index, port.backend, this.#state.ports[index]!, () => this.#host),
    );
  }

  get revision(): number {
    return this.#channels.reduce(
      (sum, { revision }) => sum + revision,
      this.#revision + this.#control.revision,
    );
  }

  connect(host: VirtioHost): void {
    this.#host = host;
  }

  activate(features: bigint): void {
    this.#multiport = (features & reg.VIRTIO_CONSOLE_F_MULTIPORT) !== 0n;
    if (!this.#multiport) Object.assign(this.#state.ports[0]!, { ready: true, open: true });
    this.#revision++;
    for (const channel of this.#channels) channel.askForInput();
  }

  writeConfig(offset: number, _width: number, value: number): void {
    if (offset === reg.CONFIG_EMERG_WR) this.#ports[0]!.backend.write(Uint8Array.of(value & 0xff));
  }

  notify(queue: number): void {
    if (this.#host === undefined || this.#quiesced) return;
    if (queue === reg.CONTROL_RECEIVE_QUEUE) this.#deliver();
    else if (queue === reg.CONTROL_TRANSMIT_QUEUE) drain(this.#host, queue, this.#serveControl);
    else {
      const channel = this.#channels[queue < reg.CONTROL_RECEIVE_QUEUE ? 0 : (queue >> 1) - 1]!;
      if (queue === channel.transmitQueue) channel.transmit();
      else channel.askForInput();
    }
  }

  #deliver(): void {
    const queue = this.#quiesced ? undefined : this.#host?.queue(reg.CONTROL_RECEIVE_QUEUE);
    if (queue !== undefined) this.#control.deliver(queue);
  }

  #send(id: number, event: number, value: number, payload?: Uint8Array): void {
    this.#control.add(controlMessage(id, event, value, payload));
    this.#deliver();
  }

  readonly #serveControl = (element: QueueElement): number => {
    if (this.#multiport && element.read(0, this.#requestBytes) === reg.CONTROL_BYTES) {
      const view = this.#request;
      this.#handle(view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true));
    }
    return 0;
  };

  #handle(id: number, event: number, value: number): void {
    this.#revision++;
    if (event === reg.VIRTIO_CONSOLE_DEVICE_READY) {
      this.#state.ready = value === 1;
      if (value === 1)
        this.#ports.forEach((_port, index) => this.#send(index, reg.VIRTIO_CONSOLE_DEVICE_ADD, 1));
      return;
    }
    const state = this.#state.ports[id];
    if (state === undefined) return;
    if (event === reg.VIRTIO_CONSOLE_PORT_READY && value === 1) {
      state.ready = true;
      this.#describe(id);
    } else if (event === reg.VIRTIO_CONSOLE_PORT_OPEN) {
      state.open = value !== 0;
      if (state.open) this.#channels[id]!.askForInput();
    }
  }

  /** Tells the driver what it should know of a port, in the order that drivers expect. */
  #describe(id: number): void {
    const port = this.#ports[id]!;
    if (port.console ?? (id === 0 || port.name === undefined)) {
      this.#send(id, reg.VIRTIO_CONSOLE_CONSOLE_PORT, 1);
      if (id === 0) this.#sendSize();
    }
    if (port.name !== undefined) {
      this.#send(id, reg.VIRTIO_CONSOLE_PORT_NAME, 1, new TextEncoder().encode(port.name));
    }
    this.#send(id, reg.VIRTIO_CONSOLE_PORT_OPEN, 1);
  }

  #sendSize(): void {
    if ((this.features & reg.VIRTIO_CONSOLE_F_SIZE) === 0n) return;
    const size = this.config.slice(reg.CONFIG_COLS, reg.CONFIG_MAX_NR_PORTS);
    if (this.#rowsFirst) new Uint16Array(size.buffer).reverse();
    this.#send(0, reg.VIRTIO_CONSOLE_RESIZE, 0, size);
  }

  resize(columns: number, rows: number): void {
    this.#view.setUint16(reg.CONFIG_COLS, columns, true);
    this.#view.setUint16(reg.CONFIG_ROWS, rows, true);
    this.#host?.configChanged();
    if (this.#multiport && this.#state.ports[0]!.ready) this.#sendSize();
  }

  reset(): void {
    this.#multiport = false;
    this.#revision++;
    this.#state.ready = false;
    for (const port of this.#state.ports) virtioConsolePortState.reset(port);
    for (const channel of this.#channels) channel.reset();
    this.#control.clear();
  }

  save(): StateSection {
    this.#state.control = this.#control.save();
    return saveSection(virtioConsoleState, this.#state);
  }

  load(section: StateSection): void {
    const loaded = virtioConsoleState.create();
    loadSection(virtioConsoleState, loaded, section);
    if (loaded.ports.length !== this.#ports.length || !this.#control.load(loaded.control)) {
      throw new PolyvisorError('corrupt', {
        what: "saved state doesn't fit the console device",
        which: `${loaded.ports.length} ports`,
        limit: `this device has ${this.#ports.length}`,
      });
    }
    this.#revision++;
    this.#state.ready = loaded.ready;
    loaded.ports.forEach((port, index) => virtioConsolePortState.copy(this.#state.ports[index]!, port));
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    for (const channel of this.#channels) channel.quiesce();
    return Promise.resolve();
  }

  resume(): void {
    this.#quiesced = false;
    for (const channel of this.#channels) channel.resume();
  }

  close(): Promise<void> {
    for (const { backend } of this.#ports) backend.close();
    return Promise.resolve();
  }
}
