import { FakeClock } from '@polyvisor/testkit/device-compliance/fake-clock';
import { createUserNetwork } from '../src/index.ts';
import { FakeSockets } from './fake-sockets.ts';
import { arpRequest, GATEWAY_IP, readIp } from './frames.ts';
import { TestPeer } from './test-peer.ts';

const OUTSIDE = [198, 51, 100, 7];

/** A repeatable source of randomness (mulberry32). */
function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export interface Wire {
  readonly seed: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly jitterMs: number;
  /** Chance that the guest has no buffers. */
  readonly full: number;
}

export interface PeerKind {
  readonly mss: number;
  readonly buffer: number;
  readonly readPerTick: number;
  readonly scale: number;
  readonly sequence: number;
}

export interface Transfer {
  readonly wire: Wire;
  readonly peer: PeerKind;
  /** Bytes guest to host, host to guest. */
  readonly up: number;
  readonly down: number;
  /** The connection comes in through a forward. */
  readonly forwarded: boolean;
  /** Bytes that the host takes each 5 ms. */
  readonly hostReads: number;
  /** Who ends its direction before it has heard the other's end. */
  readonly first: 'guest' | 'host' | 'both';
}

/** A guest with one TCP peer, behind a wire that loses, doubles and reorders frames. */
function setUp(wire: Wire, peerOptions: PeerKind) {
  const clock = new FakeClock();
  const sockets = new FakeSockets(clock);
  const chance = random(wire.seed);
  const later = (ms: number, callback: () => void): void => void clock.at(clock.nowNs() + ms * 1e6, callback);
  const network = createUserNetwork({
    sockets,
    clock,
    defer: (callback) => later(0, callback),
    forwards: [{ protocol: 'tcp', hostAddress: '', hostPort: 2222, guestPort: 22 }],
  });
  const carry = (frame: Uint8Array, deliver: (frame: Uint8Array) => void): void => {
    const copies = chance() < wire.loss ? 0 : chance() < wire.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const held = frame.slice();
      later(1 + chance() * wire.jitterMs, () => deliver(held));
    }
  };
  let peer: TestPeer | undefined = undefined as TestPeer | undefined;
  let full = false;
  network.onReceive((frame) => {
    if (frame[12] === 8 && frame[13] === 6) return true;
    const packet = readIp(frame);
    if (packet.protocol !== 6) return true;
    if (full) return false;
    if (chance() < wire.full) {
      full = true;
      later(3, () => {
        full = false;
        network.resume();
      });
      return false;
    }
    carry(frame, (held) => peer?.input(readIp(held)));
    return true;
  });
  network.send(arpRequest(GATEWAY_IP));
  const makePeer = (remote: readonly number[], remotePort: number, port: number): TestPeer =>
    (peer = new TestPeer({
      clock,
      emit: (frame) => carry(frame, (held) => network.send(held)),
      remote,
      remotePort,
      port,
      mss: peerOptions.mss,
      buffer: peerOptions.buffer,
      readPerTick: peerOptions.readPerTick,
      scale: peerOptions.scale,
      initialSequence: peerOptions.sequence,
    }));
  const run = (done: () => boolean, limitMs: number): boolean => {
    for (let ms = 0; ms < limitMs && !done(); ms += 20) clock.advance(20e6);
    return done();
  };
  return { clock, sockets, network, makePeer, run, chance };
}

function bytes(length: number, seed: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length }, () => next() * 256);
}

/** Runs a transfer to its end. @returns what is wrong with it; empty: nothing. */
export function transferFaults(transfer: Transfer): readonly string[] {
  const { up, down, first, wire } = transfer;
  const { sockets, network, makePeer, run, clock } = setUp(wire, transfer.peer);
  clock.advance(1e6);
  const toHost = bytes(up, wire.seed);
  const toGuest = bytes(down, wire.seed + 1);
  const peer = transfer.forwarded ? makePeer(OUTSIDE, 5_555, 22) : makePeer(OUTSIDE, 80, 40_001);
  if (transfer.forwarded) sockets.arrive(2222, '198.51.100.7', 5_555);
  else peer.open();
  if (!run(() => peer.established && sockets.connections.length === 1, 120_000)) return ['never opened'];
  const host = sockets.connections[0]!;
  host.readPerTick = transfer.hostReads;
  peer.send(toHost);
  host.send(toGuest);
  if (first !== 'host') peer.end();
  if (first !== 'guest') host.end();
  run(() => (first === 'host' ? peer.finReceived : host.ended), PATIENCE_MS);
  if (first === 'host') peer.end();
  if (first === 'guest') host.end();
  run(() => host.ended && peer.finReceived && peer.finished, PATIENCE_MS);
  const faults: string[] = [];
  const check = (good: boolean, fault: string): void => void (good || faults.push(fault));
  check(
    Buffer.from(host.received).equals(toHost),
    `host got ${host.received.length} of ${up} bytes, or wrong ones`,
  );
  check(
    Buffer.from(peer.received).equals(toGuest),
    `guest got ${peer.received.length} of ${down} bytes, or wrong ones`,
  );
  check(host.ended, 'host saw no end');
  check(peer.finReceived, 'guest saw no end');
  check(peer.finished, "guest's end was not acknowledged");
  check(!peer.reset, 'reset');
  check(
    run(() => network.stats().tcpFlows === 0, PATIENCE_MS),
    'a flow is left',
  );
  check(network.stats().tcpBufferedBytes === 0, `${network.stats().tcpBufferedBytes} bytes are left`);
  return faults;
}

const PATIENCE_MS = 400_000;
