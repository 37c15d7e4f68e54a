/** Frames as a guest makes and reads them, written apart from the sources so that neither can hide the other's faults. */

export const GUEST_MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
export const GATEWAY_MAC = [0x52, 0x55, 10, 0, 2, 2];
export const GUEST_IP = [10, 0, 2, 15];
export const GATEWAY_IP = [10, 0, 2, 2];
export const DNS_IP = [10, 0, 2, 3];

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

/** One's-complement sum, word by word with end-around carry. */
export function onesComplement(bytes: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

export interface IpOptions {
  readonly source?: readonly number[];
  readonly ttl?: number;
  readonly fragment?: number;
  readonly identification?: number;
}

export function ipFrame(
  protocol: number,
  destination: readonly number[],
  payload: readonly number[],
  options: IpOptions = {},
): Uint8Array {
  const source = options.source ?? GUEST_IP;
  const header = [
    0x45,
    0,
    ...u16(20 + payload.length),
    ...u16(options.identification ?? 7),
    ...u16(options.fragment ?? 0),
    options.ttl ?? 64,
    protocol,
    0,
    0,
    ...source,
    ...destination,
  ];
  header.splice(10, 2, ...u16(onesComplement(header)));
  return Uint8Array.from([...GATEWAY_MAC, ...GUEST_MAC, 8, 0, ...header, ...payload]);
}

function transportChecksum(
  protocol: number,
  source: readonly number[],
  destination: readonly number[],
  bytes: readonly number[],
): number {
  return onesComplement([...source, ...destination, 0, protocol, ...u16(bytes.length), ...bytes]);
}

export function udpPayload(
  destination: readonly number[],
  sourcePort: number,
  destinationPort: number,
  data: readonly number[],
  source: readonly number[] = GUEST_IP,
): number[] {
  const bytes = [...u16(sourcePort), ...u16(destinationPort), ...u16(8 + data.length), 0, 0, ...data];
  const checksum = transportChecksum(17, source, destination, bytes);
  bytes.splice(6, 2, ...u16(checksum === 0 ? 0xffff : checksum));
  return bytes;
}

export function udpFrame(
  destination: readonly number[],
  sourcePort: number,
  destinationPort: number,
  data: readonly number[],
  options: IpOptions = {},
): Uint8Array {
  return ipFrame(
    17,
    destination,
    udpPayload(destination, sourcePort, destinationPort, data, options.source),
    options,
  );
}

export interface TcpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  readonly options?: readonly number[];
  readonly data?: Uint8Array;
}

export function tcpFrame(destination: readonly number[], fields: TcpFields): Uint8Array {
  const options = fields.options ?? [];
  const bytes = [
    ...u16(fields.sourcePort),
    ...u16(fields.destinationPort),
    ...u32(fields.sequence),
    ...u32(fields.acknowledgment),
    ((20 + options.length) / 4) << 4,
    fields.flags,
    ...u16(fields.window),
    0,
    0,
    0,
    0,
    ...options,
    ...(fields.data ?? []),
  ];
  bytes.splice(16, 2, ...u16(transportChecksum(6, GUEST_IP, destination, bytes)));
  return ipFrame(6, destination, bytes);
}

/** A packet to the guest, taken apart; throws where it is not exactly right. */
export interface Received {
  readonly protocol: number;
  readonly source: readonly number[];
  readonly destination: readonly number[];
  readonly fragment: number;
  readonly payload: Uint8Array;
}

export function readIp(frame: Uint8Array): Received {
  if (frame[12] !== 8 || frame[13] !== 0) throw new Error('not IPv4');
  const ip = frame.subarray(14);
  const headerBytes = Array.from(ip.subarray(0, 20));
  const total = (ip[2]! << 8) | ip[3]!;
  if (ip[0] !== 0x45 || total !== ip.length)
    throw new Error(`IPv4 lengths are wrong: ${total}, ${ip.length}`);
  if (onesComplement(headerBytes) !== 0) throw new Error('IPv4 header checksum is wrong');
  const protocol = ip[9]!;
  const source = headerBytes.slice(12, 16);
  const destination = headerBytes.slice(16, 20);
  const fragment = (ip[6]! << 8) | ip[7]!;
  const payload = ip.subarray(20);
  if ((fragment & 0x3fff) === 0) checkTransport(protocol, source, destination, Array.from(payload));
  return { protocol, source, destination, fragment, payload };
}

function checkTransport(protocol: number, source: number[], destination: number[], payload: number[]): void {
  const good =
    protocol === 1
      ? onesComplement(payload) === 0
      : protocol === 17 && payload[6] === 0 && payload[7] === 0
        ? true
        : transportChecksum(protocol, source, destination, payload) === 0;
  if (!good) throw new Error(`checksum of protocol ${protocol} is wrong`);
}

export interface ReceivedTcp extends TcpFields {
  readonly source: readonly number[];
  readonly data: Uint8Array;
  readonly options: readonly number[];
}

export function readTcp(packet: Received): ReceivedTcp {
  const { payload } = packet;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const header = (payload[12]! >> 4) * 4;
  return {
    source: packet.source,
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgment: view.getUint32(8),
    flags: payload[13]!,
    window: view.getUint16(14),
    options: Array.from(payload.subarray(20, header)),
    data: payload.slice(header),
  };
}

export interface ReceivedUdp {
  readonly source: readonly number[];
  readonly destination: readonly number[];
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly data: Uint8Array;
}

export function readUdp(packet: Received): ReceivedUdp {
  const view = new DataView(packet.payload.buffer, packet.payload.byteOffset, packet.payload.length);
  if (view.getUint16(4) !== packet.payload.length) throw new Error('UDP length is wrong');
  return {
    source: packet.source,
    destination: packet.destination,
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    data: packet.payload.slice(8),
  };
}

export function arpRequest(target: readonly number[], sender: readonly number[] = GUEST_IP): Uint8Array {
  return Uint8Array.from([
    ...[255, 255, 255, 255, 255, 255],
    ...GUEST_MAC,
    ...[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
    ...GUEST_MAC,
    ...sender,
    ...[0, 0, 0, 0, 0, 0],
    ...target,
  ]);
}
