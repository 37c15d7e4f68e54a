import { PolyvisorError } from '@polyvisor/contracts';
import { formatIpv4, parseIpv4 } from './ip/address.ts';

/** Addresses of the guest's network: a /24 laid out as QEMU users know it. */
export interface Layout {
  /** 10.0.2.0 */
  readonly network: number;
  readonly prefix: number;
  /** 10.0.2.2: router, DHCP server, and the host's loopback where that is allowed. */
  readonly gateway: number;
  /** 10.0.2.3 */
  readonly dns: number;
  /** 10.0.2.15: the first address that DHCP gives. */
  readonly dhcpStart: number;
  /** Addresses that DHCP gives. */
  readonly dhcpCount: number;
  /** 10.0.2.255 */
  readonly broadcast: number;
  readonly gatewayMac: Uint8Array;
  readonly dnsMac: Uint8Array;
}

/**
 * The layout of a /24 network.
 * @throws PolyvisorError `invalid-argument` when `network` is not a /24's address such as `10.0.2.0`.
 */
export function createLayout(network = '10.0.2.0'): Layout {
  const base = parseIpv4(network);
  if (
    base === undefined ||
    (base & 255) !== 0 ||
    base >>> 24 === 0 ||
    base >>> 24 === 127 ||
    base >>> 28 >= 14
  ) {
    throw new PolyvisorError('invalid-argument', {
      what: "can't lay out the guest's network",
      which: network,
      limit: 'not the address of a /24 network',
      hint: 'use for example 10.0.2.0',
    });
  }
  return {
    network: base,
    prefix: 24,
    gateway: base + 2,
    dns: base + 3,
    dhcpStart: base + 15,
    dhcpCount: 16,
    broadcast: base + 255,
    gatewayMac: stationOf(base + 2),
    dnsMac: stationOf(base + 3),
  };
}

/** A locally administered MAC address made of 52:55 and the IP address. */
function stationOf(address: number): Uint8Array {
  return Uint8Array.from([0x52, 0x55, ...formatIpv4(address).split('.').map(Number)]);
}
