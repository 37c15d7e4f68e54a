/** `conectix`, at the start of dynamic and differencing images and in the last sector of all. */
export const VHD_COOKIE = Uint8Array.from([0x63, 0x6f, 0x6e, 0x65, 0x63, 0x74, 0x69, 0x78]);

/** How sure the first bytes of a file are VHD. Fixed images show it only at their end, and must be named. */
export function probeVhd(head: Uint8Array): number {
  return head.length >= 8 && VHD_COOKIE.every((byte, i) => head[i] === byte) ? 100 : 0;
}
