/** `QFI\xfb`, version 1. */
export function probeQcow(head: Uint8Array): number {
  const wanted = [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 1];
  return head.length >= wanted.length && wanted.every((byte, i) => head[i] === byte) ? 100 : 0;
}
