/** Bytes before an Ethernet frame's payload: destination, source, type. Frames carry no check sequence here. */
export const ETHERNET_HEADER = 14;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;

/** ff:ff:ff:ff:ff:ff */
export const BROADCAST_MAC: Uint8Array = new Uint8Array(6).fill(255);

/** Six bytes of `52:54:00:12:34:56`; undefined unless it is the address of one station. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  const mac = Uint8Array.from(text.split(/[:-]/), (part) => parseInt(part, 16));
  return isStation(mac, 0) ? mac : undefined;
}

export function formatMac(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Whether the six bytes are one station's address: not a group's and not all zero. */
export function isStation(bytes: Uint8Array, at: number): boolean {
  if ((bytes[at]! & 1) !== 0) return false;
  return (
    (bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]! | bytes[at + 4]! | bytes[at + 5]!) !== 0
  );
}

export function sameMac(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let index = 0; index < 6; index++) {
    if (a[aAt + index] !== b[bAt + index]) return false;
  }
  return true;
}
