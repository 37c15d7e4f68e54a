import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioNetState } from '@polyvisor/proto/state/virtio-backends';
import { drain } from '../backend/drain.ts';
import type { VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import type { QueueElement } from '../queue/element.ts';
import type { ChecksumPlace } from './checksum.ts';
import { completeChecksum, findChecksum } from './checksum.ts';
import type { NetBackend } from './net-backend.ts';
import { setMacTable, setReceiveMode, wantsFrame } from './receive-filter.ts';
import * as reg from './registers.ts';

export interface VirtioNetOptions {
  /** Six bytes; not a group address. */
  readonly mac: Uint8Array;
  /** Default 256. */
  readonly queueSize?: number;
}

export interface VirtioNetDependencies {
  readonly network: NetBackend;
}

/** A network device, its figures and what the host may do with it. */
export interface VirtioNet extends VirtioBackend {
  readonly revision: number;
  /** Plugs the cable in or out. */
  setLink(up: boolean): void;
  /** Asks the guest to tell the network where it is now; after a migration. */
  announce(): void;
  /** Frames of either direction that were malformed or too big for what was agreed. */
  readonly dropped: number;
}

/** The largest frame: a TCP segment of 64 KiB with its headers, and a VLAN tag. */
const FRAME_BYTES = 65_536 + 64;
const CONTROL_QUEUE_SIZE = 64;
/** Control commands' data beyond this is malformed. */
const COMMAND_BYTES = 64 * 1024;
const PLAIN = { partialChecksum: false, largeSegments: false };

/**
 * A network device (VIRTIO 1.3, section 5.1) with one pair of queues and a control queue.
 * @throws PolyvisorError `invalid-argument` for an impossible MAC address.
 */
export function createVirtioNet(options: VirtioNetOptions, dependencies: VirtioNetDependencies): VirtioNet {
  const { mac } = options;
  if (mac.length !== reg.MAC_BYTES || (mac[0]! & 1) !== 0) {
    throw new PolyvisorError('invalid-argument', {
      what: 'no usable MAC address',
      which: [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
      limit: 'six bytes, the first one even',
    });
  }
  return new Net(options, dependencies);
}

class Net implements VirtioNet {
  readonly deviceId = reg.VIRTIO_ID_NET;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly config = new Uint8Array(reg.CONFIG_BYTES);
  dropped = 0;
  revision = 0;
  readonly #network: NetBackend;
  readonly #mac: Uint8Array;
  readonly #state = virtioNetState.create();
  /** A frame of the guest, copied before anybody looks at it: the guest could change it meanwhile. */
  readonly #frame = new Uint8Array(FRAME_BYTES);
  readonly #header = new DataView(new ArrayBuffer(reg.HEADER_BYTES));
  readonly #headerBytes = new Uint8Array(this.#header.buffer);
  readonly #place: ChecksumPlace = { start: 0, offset: 0, ipv6: false, tcp: false };
  /** Buffers of the frame that is being received. */
  readonly #elements: QueueElement[] = [];
  readonly #lengths: number[] = [];
  #host: VirtioHost | undefined;
  #features = 0n;
  #mergeable = false;
  #receiver = PLAIN;
  #linkUp = true;
  /** The network was refused a frame. */
  #heldBack = false;
  #quiesced = false;

  constructor(options: VirtioNetOptions, { network }: VirtioNetDependencies) {
    const size = options.queueSize ?? 256;
    this.#network = network;
    this.#mac = options.mac.slice();
    this.queueSizes = [size, size, CONTROL_QUEUE_SIZE];
    const largeSegments = network.offloads?.largeSegments === true && network.offloads.partialChecksum;
    this.features =
      reg.VIRTIO_NET_F_CSUM |
      reg.VIRTIO_NET_F_GUEST_CSUM |
      reg.VIRTIO_NET_F_GUEST_TSO4 |
      reg.VIRTIO_NET_F_GUEST_TSO6 |
      reg.VIRTIO_NET_F_MAC |
      reg.VIRTIO_NET_F_MRG_RXBUF |
      reg.VIRTIO_NET_F_STATUS |
      reg.VIRTIO_NET_F_CTRL_VQ |
      reg.VIRTIO_NET_F_CTRL_RX |
      reg.VIRTIO_NET_F_CTRL_RX_EXTRA |
      reg.VIRTIO_NET_F_CTRL_MAC_ADDR |
      reg.VIRTIO_NET_F_GUEST_ANNOUNCE |
      (largeSegments ? reg.VIRTIO_NET_F_HOST_TSO4 | reg.VIRTIO_NET_F_HOST_TSO6 : 0n);
    this.reset();
    network.onReceive((frame, partial = false, segmentBytes = 0) =>
      this.#receive(frame, partial, segmentBytes),
    );
    network.onRoom?.(() => this.notify(reg.TRANSMIT_QUEUE));
  }

  connect(host: VirtioHost): void {
    this.#host = host;
  }

  activate(features: bigint): void {
    this.#features = features;
    this.#mergeable = this.#has(reg.VIRTIO_NET_F_MRG_RXBUF);
    const partialChecksum = this.#has(reg.VIRTIO_NET_F_GUEST_CSUM);
    const segments = this.#has(reg.VIRTIO_NET_F_GUEST_TSO4) && this.#has(reg.VIRTIO_NET_F_GUEST_TSO6);
    this.#setReceiver({ partialChecksum, largeSegments: partialChecksum && segments });
    this.#askForFrames();
  }

  #has(feature: bigint): boolean {
    return (this.#features & feature) !== 0n;
  }

  #setReceiver(offloads: typeof PLAIN): void {
    this.#receiver = offloads;
    this.#network.receiverOffloads?.(offloads);
  }

  notify(queue: number): void {
    if (this.#host === undefined || this.#quiesced) return;
    if (queue === reg.TRANSMIT_QUEUE) this.#transmit(this.#host);
    else if (queue === reg.CONTROL_QUEUE) drain(this.#host, queue, this.#command);
    else this.#askForFrames();
  }

  #transmit(host: VirtioHost): void {
    const queue = host.queue(reg.TRANSMIT_QUEUE);
    if (queue === undefined) return;
    for (let budget = queue.size; budget > 0; budget--) {
      const element = queue.pop();
      if (element === undefined || !this.#send(element)) {
        // No room: the frame stays in its queue.
        if (element !== undefined) queue.undoPop(element);
        queue.signal();
        return;
      }
      queue.push(element, 0);
    }
    queue.signal();
    host.again(reg.TRANSMIT_QUEUE);
  }

  /** @returns false when the network has no room. */
  #send(element: QueueElement): boolean {
    const length = element.readable.bytes - reg.HEADER_BYTES;
    if (length < reg.ETHERNET_HEADER_BYTES || length > FRAME_BYTES) return this.#drop();
    element.read(0, this.#headerBytes);
    element.read(reg.HEADER_BYTES, this.#frame, 0, length);
    const frame = this.#frame.subarray(0, length);
    const partial = (this.#header.getUint8(reg.HEADER_FLAGS) & reg.VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0;
    const gsoType = this.#header.getUint8(reg.HEADER_GSO_TYPE) & ~reg.VIRTIO_NET_HDR_GSO_ECN;
    if (gsoType === reg.VIRTIO_NET_HDR_GSO_NONE)
      return partial ? this.#sendPartial(frame) : this.#sendPlain(frame);
    const wanted =
      gsoType === reg.VIRTIO_NET_HDR_GSO_TCPV4 ? reg.VIRTIO_NET_F_HOST_TSO4 : reg.VIRTIO_NET_F_HOST_TSO6;
    const known = gsoType === reg.VIRTIO_NET_HDR_GSO_TCPV4 || gsoType === reg.VIRTIO_NET_HDR_GSO_TCPV6;
    const segmentBytes = this.#header.getUint16(reg.HEADER_GSO_SIZE, true);
    if (!known || !this.#has(wanted) || !partial || segmentBytes === 0) return this.#drop();
    return !this.#linkUp || this.#network.send(frame, true, segmentBytes) !== false;
  }

  #sendPlain(frame: Uint8Array): boolean {
    return !this.#linkUp || this.#network.send(frame, false, 0) !== false;
  }

  #sendPartial(frame: Uint8Array): boolean {
    const start = this.#header.getUint16(reg.HEADER_CSUM_START, true);
    const offset = this.#header.getUint16(reg.HEADER_CSUM_OFFSET, true);
    if (start + offset + 2 > frame.length) return this.#drop();
    if (this.#network.offloads?.partialChecksum === true)
      return !this.#linkUp || this.#network.send(frame, true, 0) !== false;
    completeChecksum(frame, start, offset);
    return this.#sendPlain(frame);
  }

  #drop(): true {
    this.dropped++;
    return true;
  }

  /** @returns false when the guest has no buffers. */
  #receive(frame: Uint8Array, partial: boolean, segmentBytes: number): boolean {
    const queue = this.#quiesced ? undefined : this.#host?.queue(reg.RECEIVE_QUEUE);
    // Nobody listens: like an interface that is down. While quiesced somebody will.
    if (queue === undefined) return this.#quiesced ? this.#refuse() : true;
    if (frame.length < reg.ETHERNET_HEADER_BYTES || frame.length > FRAME_BYTES) return this.#drop();
    if (!this.#linkUp || !wantsFrame(this.#state, frame)) return true;
    if (segmentBytes > 0 && !this.#receiver.largeSegments) return this.#drop();
    const needed = reg.HEADER_BYTES + frame.length;
    let count = 0;
    let room = 0;
    while (room < needed && (count === 0 || this.#mergeable)) {
      const element = queue.pop();
      if (element === undefined) break;
      this.#elements[count++] = element;
      room += element.writable.bytes;
      if (element.writable.bytes < reg.HEADER_BYTES) {
        queue.fail('request');
        return true;
      }
    }
    if (room < needed) {
      for (let index = count - 1; index >= 0; index--) queue.undoPop(this.#elements[index]!);
      return count > 0 && !this.#mergeable ? this.#drop() : this.#refuse();
    }
    const whole = this.#fillHeader(frame, partial, segmentBytes, count);
    this.#scatter(whole, count);
    queue.pushTogether(this.#elements, this.#lengths, count);
    queue.signal();
    return true;
  }

  #refuse(): false {
    this.#heldBack = true;
    return false;
  }

  /** @returns the frame as the guest is to see it. */
  #fillHeader(frame: Uint8Array, partial: boolean, segmentBytes: number, buffers: number): Uint8Array {
    const header = this.#header;
    this.#headerBytes.fill(0);
    header.setUint16(reg.HEADER_NUM_BUFFERS, buffers, true);
    if (!partial && segmentBytes === 0) return frame;
    const place = this.#place;
    if (!findChecksum(frame, place)) return frame;
    if (!this.#receiver.partialChecksum) {
      this.#frame.set(frame);
      const copy = this.#frame.subarray(0, frame.length);
      completeChecksum(copy, place.start, place.offset);
      return copy;
    }
    header.setUint8(reg.HEADER_FLAGS, reg.VIRTIO_NET_HDR_F_NEEDS_CSUM);
    header.setUint16(reg.HEADER_CSUM_START, place.start, true);
    header.setUint16(reg.HEADER_CSUM_OFFSET, place.offset, true);
    if (segmentBytes > 0 && place.tcp) {
      const tcpHeader = ((frame[place.start + 12] ?? 0) >> 4) * 4;
      header.setUint8(
        reg.HEADER_GSO_TYPE,
        place.ipv6 ? reg.VIRTIO_NET_HDR_GSO_TCPV6 : reg.VIRTIO_NET_HDR_GSO_TCPV4,
      );
      header.setUint16(reg.HEADER_HDR_LEN, place.start + tcpHeader, true);
      header.setUint16(reg.HEADER_GSO_SIZE, segmentBytes, true);
    }
    return frame;
  }

  #scatter(frame: Uint8Array, count: number): void {
    let done = 0;
    for (let index = 0; index < count; index++) {
      const element = this.#elements[index]!;
      const skip = index === 0 ? element.write(0, this.#headerBytes) : 0;
      const written = element.write(skip, frame, done);
      done += written;
      this.#lengths[index] = skip + written;
    }
  }

  #askForFrames(): void {
    if (!this.#heldBack || this.#quiesced) return;
    this.#heldBack = false;
    this.#network.resume();
  }

  readonly #command = (element: QueueElement): number => {
    const length = element.readable.bytes - 2;
    const acceptable = length >= 0 && length <= COMMAND_BYTES && element.writable.bytes > 0;
    const ok = acceptable && this.#obey(element, length);
    if (ok) this.revision++;
    return element.write(0, Uint8Array.of(ok ? reg.VIRTIO_NET_OK : reg.VIRTIO_NET_ERR));
  };

  #obey(element: QueueElement, length: number): boolean {
    const bytes = new Uint8Array(2 + length);
    element.read(0, bytes);
    const [group, command] = bytes;
    const data = bytes.subarray(2);
    if (group === reg.VIRTIO_NET_CTRL_RX)
      return length === 1 && setReceiveMode(this.#state, command!, data[0] !== 0);
    if (group === reg.VIRTIO_NET_CTRL_MAC) return this.#setMac(command!, data);
    if (group !== reg.VIRTIO_NET_CTRL_ANNOUNCE || command !== reg.VIRTIO_NET_CTRL_ANNOUNCE_ACK) return false;
    this.#setStatus(this.#state.status & ~reg.VIRTIO_NET_S_ANNOUNCE);
    return true;
  }

  #setMac(command: number, data: Uint8Array): boolean {
    if (command === reg.VIRTIO_NET_CTRL_MAC_TABLE_SET) return setMacTable(this.#state, data);
    if (command !== reg.VIRTIO_NET_CTRL_MAC_ADDR_SET || data.length !== reg.MAC_BYTES) return false;
    this.#state.mac.set(data);
    this.config.set(data, reg.CONFIG_MAC);
    return true;
  }

  #setStatus(status: number): void {
    this.revision++;
    this.#state.status = status;
    this.config[reg.CONFIG_STATUS] = status;
  }

  setLink(up: boolean): void {
    this.#linkUp = up;
    const other = this.#state.status & ~reg.VIRTIO_NET_S_LINK_UP;
    this.#setStatus(other | (up ? reg.VIRTIO_NET_S_LINK_UP : 0));
    this.#host?.configChanged();
  }

  announce(): void {
    if (!this.#has(reg.VIRTIO_NET_F_GUEST_ANNOUNCE)) return;
    this.#setStatus(this.#state.status | reg.VIRTIO_NET_S_ANNOUNCE);
    this.#host?.configChanged();
  }

  reset(): void {
    virtioNetState.reset(this.#state);
    this.#state.mac.set(this.#mac);
    this.config.set(this.#mac, reg.CONFIG_MAC);
    this.#setStatus(this.#linkUp ? reg.VIRTIO_NET_S_LINK_UP : 0);
    this.#features = 0n;
    this.#setReceiver(PLAIN);
  }

  save(): StateSection {
    return saveSection(virtioNetState, this.#state);
  }

  load(section: StateSection): void {
    const loaded = virtioNetState.create();
    loadSection(virtioNetState, loaded, section);
    if (loaded.unicast.length % reg.MAC_BYTES !== 0 || loaded.multicast.length % reg.MAC_BYTES !== 0) {
      throw new PolyvisorError('corrupt', {
        what: 'saved address table of the network device is malformed',
        which: `${loaded.unicast.length} and ${loaded.multicast.length} bytes`,
        limit: 'six bytes an address',
      });
    }
    virtioNetState.copy(this.#state, loaded);
    this.#linkUp = (loaded.status & reg.VIRTIO_NET_S_LINK_UP) !== 0;
    this.config.set(loaded.mac, reg.CONFIG_MAC);
    this.#setStatus(loaded.status);
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    return Promise.resolve();
  }

  resume(): void {
    this.#quiesced = false;
    this.#askForFrames();
  }

  async close(): Promise<void> {
    await this.#network.close();
  }
}
