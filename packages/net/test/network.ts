import { FakeClock } from '@polyvisor/testkit/device-compliance/fake-clock';
import { createUserNetwork, type UserNetwork, type UserNetworkOptions } from '../src/index.ts';
import { FakeSockets } from './fake-sockets.ts';
import {
  arpRequest,
  GATEWAY_IP,
  type Received,
  type ReceivedTcp,
  type ReceivedUdp,
  readIp,
  readTcp,
  readUdp,
} from './frames.ts';

/** A network on fake sockets and a fake clock, and what the guest got from it. */
export interface TestNetwork {
  readonly network: UserNetwork;
  readonly clock: FakeClock;
  readonly sockets: FakeSockets;
  readonly frames: Uint8Array[];
  /** IPv4 packets that the guest got since the last call. */
  take(): readonly Received[];
  takeTcp(): readonly ReceivedTcp[];
  takeUdp(): readonly ReceivedUdp[];
  /** Lets ten milliseconds pass. */
  settle(): void;
}

/** @param introduce whether the guest's MAC address is known from the start. */
export function testNetwork(options: Partial<UserNetworkOptions> = {}, introduce = true): TestNetwork {
  const clock = new FakeClock();
  const sockets = new FakeSockets(clock);
  const network = createUserNetwork({
    sockets,
    clock,
    defer: (callback) => void clock.at(clock.nowNs(), callback),
    ...options,
  });
  const frames: Uint8Array[] = [];
  network.onReceive((frame) => {
    frames.push(frame.slice());
    return true;
  });
  if (introduce) {
    network.send(arpRequest(GATEWAY_IP));
    frames.length = 0;
  }
  const take = (): readonly Received[] => {
    clock.advance(10e6);
    return frames
      .splice(0)
      .filter((frame) => frame[13] === 0)
      .map(readIp);
  };
  return {
    network,
    clock,
    sockets,
    frames,
    take,
    takeTcp: () =>
      take()
        .filter((each) => each.protocol === 6)
        .map(readTcp),
    takeUdp: () =>
      take()
        .filter((each) => each.protocol === 17)
        .map(readUdp),
    settle: () => clock.advance(10e6),
  };
}
