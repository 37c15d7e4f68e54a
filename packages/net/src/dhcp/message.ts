import { readU16, readU32, writeU32 } from '../wire/big-endian.ts';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

/** RFC 2131, figure 1: fixed fields, then the magic cookie and options. */
const FIXED_BYTES = 236;
const MAGIC = 0x6382_5363;
/** Clients may rely on 300 bytes of BOOTP payload (RFC 1542, section 2.1). */
const LEAST_REPLY = 300;

const OPTION_PAD = 0;
const OPTION_END = 255;

/** RFC 2132, section 9.6. */
export const messageTypes = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Options that the server reads or writes (RFC 2132). */
export const options = {
  subnetMask: 1,
  router: 3,
  dnsServers: 6,
  hostName: 12,
  interfaceMtu: 26,
  broadcastAddress: 28,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverIdentifier: 54,
  renewalTime: 58,
  rebindingTime: 59,
} as const;

/** A client's message, checked. */
export interface DhcpRequest {
  /** 0: plain BOOTP. */
  readonly type: number;
  readonly transaction: number;
  readonly broadcast: boolean;
  readonly clientAddress: number;
  readonly relayAddress: number;
  readonly mac: Uint8Array;
  readonly requestedAddress: number | undefined;
  readonly serverIdentifier: number | undefined;
  readonly hostName: string | undefined;
}

/**
 * The client's message in `bytes`; undefined when it is cut short, no request, not from Ethernet, or its options
 * don't add up. Options in overloaded fields (RFC 2132, section 9.3) are not read: no client needs them to ask.
 */
export function parseDhcpRequest(bytes: Uint8Array): DhcpRequest | undefined {
  if (bytes.length < FIXED_BYTES + 4) return undefined;
  // Operation request, hardware Ethernet, 6 bytes of address.
  if (bytes[0] !== 1 || bytes[1] !== 1 || bytes[2] !== 6) return undefined;
  if (readU32(bytes, FIXED_BYTES) !== MAGIC) return undefined;
  const found = readOptions(bytes, FIXED_BYTES + 4);
  if (found === undefined) return undefined;
  const type = found.get(options.messageType);
  if (type !== undefined && type.length !== 1) return undefined;
  const hostName = found.get(options.hostName);
  return {
    type: type?.[0] ?? 0,
    transaction: readU32(bytes, 4),
    broadcast: (readU16(bytes, 10) & 0x8000) !== 0,
    clientAddress: readU32(bytes, 12),
    relayAddress: readU32(bytes, 24),
    mac: bytes.slice(28, 34),
    requestedAddress: addressOf(found.get(options.requestedAddress)),
    serverIdentifier: addressOf(found.get(options.serverIdentifier)),
    hostName: hostName === undefined ? undefined : printable(hostName),
  };
}

/** Options by number, as views; the first of several counts. Undefined when one runs over the end. */
function readOptions(bytes: Uint8Array, start: number): Map<number, Uint8Array> | undefined {
  const found = new Map<number, Uint8Array>();
  for (let at = start; at < bytes.length;) {
    const code = bytes[at]!;
    if (code === OPTION_END) break;
    if (code === OPTION_PAD) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) return undefined;
    if (!found.has(code)) found.set(code, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return found;
}

function addressOf(value: Uint8Array | undefined): number | undefined {
  return value?.length === 4 ? readU32(value, 0) : undefined;
}

/** It ends up in logs: nothing but plain ASCII survives. */
function printable(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 64), (byte) =>
    byte > 32 && byte < 127 ? String.fromCharCode(byte) : '',
  ).join('');
}

/** What the server answers. */
export interface DhcpReply {
  readonly yourAddress: number;
  readonly serverAddress: number;
  /** In the order in which they are written; numbers are addresses and seconds (32 bits). */
  readonly options: readonly (readonly [code: number, value: number | Uint8Array])[];
}

/** The answer's bytes. `request` gives transaction, flags, addresses. */
export function buildDhcpReply(request: DhcpRequest, reply: DhcpReply): Uint8Array {
  const values = reply.options.map(
    ([code, value]) => [code, typeof value === 'number' ? fourBytes(value) : value] as const,
  );
  const optionBytes = values.reduce((sum, [, value]) => sum + 2 + value.length, 1);
  const bytes = new Uint8Array(Math.max(LEAST_REPLY, FIXED_BYTES + 4 + optionBytes));
  bytes.set([2, 1, 6, 0]);
  writeU32(bytes, 4, request.transaction);
  bytes[10] = request.broadcast ? 0x80 : 0;
  writeU32(bytes, 12, request.clientAddress);
  writeU32(bytes, 16, reply.yourAddress);
  writeU32(bytes, 20, reply.serverAddress);
  writeU32(bytes, 24, request.relayAddress);
  bytes.set(request.mac, 28);
  writeU32(bytes, FIXED_BYTES, MAGIC);
  let at = FIXED_BYTES + 4;
  for (const [code, value] of values) {
    bytes[at] = code;
    bytes[at + 1] = value.length;
    bytes.set(value, at + 2);
    at += 2 + value.length;
  }
  bytes[at] = OPTION_END;
  return bytes;
}

function fourBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}
