export type { UserNetworkStats } from './counters.ts';
export type { BoundForward } from './forward/forwards.ts';
export type { FrameOffloads, FrameReceiver } from './guest-link/guest-link.ts';
export type {
  HostDatagram,
  HostListener,
  HostSockets,
  HostTcpEvents,
  HostTcpSocket,
  HostUdpSocket,
  SocketFailure,
} from './host-sockets.ts';
export type { PortForward, UserNetworkLimits, UserNetworkOptions } from './options.ts';
export { createUserNetwork } from './user-network.ts';
export type { UserNetwork } from './user-network.ts';
