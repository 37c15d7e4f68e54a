import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Direction, Schedule } from './link.ts';
import type { LinkQuality } from './link.ts';

/** Host and port. */
export interface RelayAddress {
  readonly host: string;
  readonly port: number;
}

export interface RelayOptions {
  readonly protocol: 'tcp' | 'udp';
  readonly listen: RelayAddress;
  readonly to: RelayAddress;
  readonly quality: LinkQuality;
  /** Numbers from 0 to 1. Default: Math.random. */
  readonly random?: () => number;
}

/** A link between two endpoints, as bad as asked for. */
export interface Relay {
  readonly address: RelayAddress;
  /** Nothing passes any more, new connections neither; nobody is told. */
  cut(): void;
  /** What was held passes; connections of meanwhile are made. */
  restore(): void;
  /** Breaks all connections, as a router that forgets them. */
  reset(): void;
  setQuality(quality: LinkQuality): void;
  close(): Promise<void>;
}

/** Bytes held in one direction before the sender is held back: a window. */
const WINDOW_BYTES = 4 << 20;
/** A UDP peer that has been silent for so long is forgotten. */
const UDP_IDLE_MS = 60_000;

/** Opens a relay. Rejects where it can't listen. */
export async function openRelay(options: RelayOptions): Promise<Relay> {
  return options.protocol === 'tcp' ? openTcp(options) : openUdp(options);
}

/** What all kinds of relay do. */
class Link {
  readonly schedule = new Schedule();
  readonly directions = new Set<Direction>();
  quality: LinkQuality;
  isCut = false;
  readonly #random: () => number;

  constructor({ quality, random }: RelayOptions) {
    this.quality = quality;
    this.#random = random ?? Math.random;
  }

  direction(): Direction {
    const direction = new Direction(this.quality, this.schedule, this.#random);
    direction.cut = this.isCut;
    this.directions.add(direction);
    return direction;
  }

  drop(direction: Direction): void {
    direction.close();
    this.directions.delete(direction);
  }

  setCut(cut: boolean): void {
    this.isCut = cut;
    for (const direction of this.directions) direction.cut = cut;
  }

  setQuality(quality: LinkQuality): void {
    this.quality = quality;
    for (const direction of this.directions) direction.quality = quality;
  }
}

async function openTcp(options: RelayOptions): Promise<Relay> {
  const link = new Link(options);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ ...options.to, allowHalfOpen: true, noDelay: true });
    sockets.add(near).add(far);
    const forget = (): void => {
      near.destroy();
      far.destroy();
      sockets.delete(near);
      sockets.delete(far);
      for (const direction of directions) link.drop(direction);
    };
    const directions = [join(near, far, link), join(far, near, link)];
    let open = 2;
    for (const socket of [near, far]) {
      socket.on('error', forget);
      socket.on('close', () => {
        if (--open === 0) forget();
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.listen, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    address: { host: address, port },
    cut: () => link.setCut(true),
    restore: () => link.setCut(false),
    reset,
    setQuality: (quality) => link.setQuality(quality),
    async close() {
      reset();
      link.schedule.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function join(from: Socket, to: Socket, link: Link): Direction {
  const direction = link.direction();
  let blocked = false;
  const flow = (): void => {
    if (direction.bytes < WINDOW_BYTES && !blocked) from.resume();
    else from.pause();
  };
  direction.onDelivered = flow;
  to.on('drain', () => {
    blocked = false;
    flow();
  });
  from.on('data', (bytes: Buffer) => {
    direction.stream(bytes.length, () => {
      if (!to.destroyed && !to.write(bytes)) blocked = true;
    });
    flow();
  });
  from.on('end', () => direction.stream(0, () => to.end()));
  return direction;
}

async function openUdp(options: RelayOptions): Promise<Relay> {
  const link = new Link(options);
  const near = createSocket('udp4');
  const peers = new Map<string, { far: UdpSocket; out: Direction; usedMs: number }>();
  const forget = (key: string): void => {
    const peer = peers.get(key);
    if (peer === undefined) return;
    peers.delete(key);
    link.drop(peer.out);
    peer.far.close();
  };
  near.on('message', (bytes, { address, port }) => {
    const key = `${address}:${port}`;
    let peer = peers.get(key);
    if (peer === undefined) {
      const far = createSocket('udp4');
      const back = link.direction();
      far.on('message', (answer) =>
        back.packet(answer.length, () => near.send(answer, port, address, () => {})),
      );
      far.on('close', () => link.drop(back));
      far.on('error', () => forget(key));
      peer = { far, out: link.direction(), usedMs: 0 };
      peers.set(key, peer);
    }
    const { far, out } = peer;
    peer.usedMs = performance.now();
    out.packet(bytes.length, () => far.send(bytes, options.to.port, options.to.host, () => {}));
  });
  await new Promise<void>((resolve, reject) => {
    near.once('error', reject);
    near.bind(options.listen.port, options.listen.host, resolve);
  });
  const sweep = setInterval(() => {
    for (const [key, { usedMs }] of peers) if (performance.now() - usedMs > UDP_IDLE_MS) forget(key);
  }, UDP_IDLE_MS);
  sweep.unref();
  const reset = (): void => {
    for (const key of [...peers.keys()]) forget(key);
  };
  const { address, port } = near.address();
  return {
    address: { host: address, port },
    cut: () => link.setCut(true),
    restore: () => link.setCut(false),
    reset,
    setQuality: (quality) => link.setQuality(quality),
    async close() {
      clearInterval(sweep);
      reset();
      link.schedule.close();
      await new Promise<void>((resolve) => near.close(() => resolve()));
    },
  };
}
