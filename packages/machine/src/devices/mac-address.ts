import { PolyvisorError } from '@polyvisor/contracts';

const FORM = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i;
/** Locally administered, as QEMU's default is, so that guests' rules about it hold. */
const FIRST = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;

/** Address of the machine's n-th network card where none is asked for: 52:54:00:12:34:56 and upwards. */
export function defaultMac(index: number): string {
  const bytes = [...FIRST.slice(0, 5), FIRST[5] + index];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** @throws PolyvisorError `invalid-argument` for anything but six bytes of a station's address. */
export function parseMac(text: string): Uint8Array {
  const bytes = FORM.test(text)
    ? Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16))
    : undefined;
  const isGroup = bytes !== undefined && ((bytes[0] as number) & 1) !== 0;
  if (bytes !== undefined && !isGroup && bytes.some((byte) => byte !== 0)) return bytes;
  throw new PolyvisorError('invalid-argument', {
    what: 'bad MAC address',
    which: text,
    limit: isGroup ? 'it is a group address' : 'six bytes in hexadecimal, with colons',
    hint: `use for example ${defaultMac(0)}`,
  });
}
