import type { IcmpError } from '../icmp/icmp.ts';
import { formatIpv4, inNetwork } from '../ip/address.ts';
import type { Layout } from '../layout.ts';

/** Where a packet of the guest's may go: to an address of the host's world, or back with an error, or nowhere. */
export type Verdict =
  | { readonly kind: 'host'; readonly address: string }
  | { readonly kind: 'refuse'; readonly error: IcmpError }
  | { readonly kind: 'drop' };

/** What the policy depends on. */
export interface PolicyOptions {
  readonly layout: Layout;
  readonly hostLoopback: boolean;
  readonly restrict: boolean;
}

const DROP: Verdict = { kind: 'drop' };
const PROHIBITED: Verdict = { kind: 'refuse', error: 'prohibited' };
const UNREACHABLE: Verdict = { kind: 'refuse', error: 'hostUnreachable' };
const NO_PORT: Verdict = { kind: 'refuse', error: 'portUnreachable' };

/** Places that no packet of a guest's leads to, whatever the options: `network/prefix` and what happens instead. */
const closed: readonly (readonly [network: number, prefix: number, verdict: Verdict])[] = [
  // "This network": Linux takes 0.0.0.0 for its own loopback.
  [0x0000_0000, 8, PROHIBITED],
  [0x7f00_0000, 8, PROHIBITED],
  // Link-local: the metadata services of clouds hand out the host's credentials there.
  [0xa9fe_0000, 16, PROHIBITED],
  [0xe000_0000, 4, DROP],
  [0xf000_0000, 4, DROP],
];

/** Decides for a destination. The one place where the guest's reach is defined; DNS and DHCP stand before it. */
export function decide(destination: number, options: PolicyOptions): Verdict {
  const { layout } = options;
  if (destination === layout.gateway) {
    return options.hostLoopback && !options.restrict ? { kind: 'host', address: '127.0.0.1' } : NO_PORT;
  }
  if (destination === layout.dns) return NO_PORT;
  if (destination === layout.broadcast) return DROP;
  if (inNetwork(destination, layout.network, layout.prefix)) return UNREACHABLE;
  for (const [network, prefix, verdict] of closed) {
    if (inNetwork(destination, network, prefix)) return verdict;
  }
  if (options.restrict) return PROHIBITED;
  return { kind: 'host', address: formatIpv4(destination) };
}
