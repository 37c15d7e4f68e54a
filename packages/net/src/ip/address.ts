/** `10.0.2.15` of an address held as an unsigned 32-bit number. */
export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** An unsigned 32-bit number of four decimal parts; undefined for anything else, leading zeros included. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/** Whether `address` lies in `network/prefix`. */
export function inNetwork(address: number, network: number, prefix: number): boolean {
  return prefix === 0 || (address ^ network) >>> (32 - prefix) === 0;
}
