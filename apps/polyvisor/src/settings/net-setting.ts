import { isIP } from 'node:net';
import { PolyvisorError } from '@polyvisor/contracts';
import type { NetConfig, PortForward } from '@polyvisor/machine';
import { choiceOf, single, switchOf, type KeySpec, type KeyValues } from './key-values.ts';

export const NET_KEYS: KeySpec = {
  keys: ['kind', 'hostfwd', 'host-loopback', 'restrict', 'mac'],
  repeat: ['hostfwd'],
};

const FORWARD_FORM = 'form: tcp:HOSTADDRESS:PORT-GUESTADDRESS:PORT, addresses may be left out';

/** `user[,hostfwd=…][,host-loopback=on][,restrict=on][,mac=…]`; undefined for `none`. Errors: `invalid-argument`. */
export function netOf(pairs: KeyValues): NetConfig | undefined {
  const kind = choiceOf('network kind', single(pairs, 'kind') ?? pairs.first ?? 'user', [
    'user',
    'none',
  ] as const);
  if (kind === 'none') {
    if (pairs.values.size > (pairs.values.has('kind') ? 1 : 0))
      throw new PolyvisorError('invalid-argument', {
        what: 'network kind none takes no more keys',
        which: [...pairs.values.keys()].join(', '),
      });
    return undefined;
  }
  const mac = single(pairs, 'mac');
  return {
    kind,
    ...(mac === undefined ? {} : { mac: parseMac(mac) }),
    forwards: (pairs.values.get('hostfwd') ?? []).map(parseForward),
    hostLoopback: switchOf(pairs, 'host-loopback', false),
    restrict: switchOf(pairs, 'restrict', false),
  };
}

/**
 * `tcp:127.0.0.1:2222-:22`. Unlike QEMU's, a forward without host address listens on 127.0.0.1 only.
 * IPv6 addresses stand in brackets. Errors: `invalid-argument`, `limit`.
 */
export function parseForward(text: string): PortForward {
  const match = /^(tcp|udp)?:(\[[^\]]*\]|[^:\]]*):(\d+)-(\[[^\]]*\]|[^:\]]*):(\d+)$/.exec(text);
  if (match === null)
    throw new PolyvisorError('invalid-argument', {
      what: 'bad port forward',
      which: text,
      limit: FORWARD_FORM,
    });
  const [, protocol = 'tcp', host = '', hostPort, guest = '', guestPort] = match;
  const hostAddress = address(host, text) ?? '127.0.0.1';
  const guestAddress = address(guest, text);
  return {
    protocol: protocol as 'tcp' | 'udp',
    hostAddress,
    hostPort: port(hostPort!, text),
    ...(guestAddress === undefined ? {} : { guestAddress }),
    guestPort: port(guestPort!, text),
  };
}

/** The form that {@link parseForward} reads. */
export function formatForward(forward: PortForward): string {
  const bracket = (text: string) => (text.includes(':') ? `[${text}]` : text);
  return `${forward.protocol}:${bracket(forward.hostAddress)}:${forward.hostPort}-${bracket(forward.guestAddress ?? '')}:${forward.guestPort}`;
}

function address(text: string, forward: string): string | undefined {
  const bare = text.replace(/^\[|\]$/g, '');
  if (bare === '') return undefined;
  if (isIP(bare) === 0)
    throw new PolyvisorError('invalid-argument', {
      what: 'bad address in port forward',
      which: `${bare} in ${forward}`,
      hint: 'use a numeric address such as 127.0.0.1',
    });
  return bare;
}

function port(text: string, forward: string): number {
  const value = Number(text);
  if (value < 1 || value > 65_535)
    throw new PolyvisorError('limit', {
      what: 'port is out of range',
      which: `${text} in ${forward}`,
      limit: '1 to 65535',
    });
  return value;
}

function parseMac(text: string): string {
  const mac = text.toLowerCase();
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac))
    throw new PolyvisorError('invalid-argument', {
      what: 'bad MAC address',
      which: text,
      limit: 'form: 52:54:00:12:34:56',
    });
  if (Number.parseInt(mac.slice(0, 2), 16) & 1)
    throw new PolyvisorError('invalid-argument', {
      what: 'MAC address is a multicast one',
      which: text,
      limit: 'the first byte must be even',
    });
  if (mac === '00:00:00:00:00:00')
    throw new PolyvisorError('invalid-argument', { what: 'MAC address is all zero', which: text });
  return mac;
}
