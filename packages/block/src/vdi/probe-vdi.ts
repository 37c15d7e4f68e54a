/** Little-endian, after 64 bytes of text. */
export const VDI_SIGNATURE = 0xbeda107f;
const SIGNATURE_AT = 0x40;

/** How sure the first bytes of a file are VDI. */
export function probeVdi(head: Uint8Array): number {
  if (head.length < SIGNATURE_AT + 4) return 0;
  return new DataView(head.buffer, head.byteOffset).getUint32(SIGNATURE_AT, true) === VDI_SIGNATURE ? 100 : 0;
}
