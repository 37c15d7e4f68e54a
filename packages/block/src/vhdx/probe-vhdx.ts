/** `vhdxfile` */
export const VHDX_SIGNATURE = Uint8Array.from([0x76, 0x68, 0x64, 0x78, 0x66, 0x69, 0x6c, 0x65]);

/** How sure the first bytes of a file are VHDX. */
export function probeVhdx(head: Uint8Array): number {
  return head.length >= 8 && VHDX_SIGNATURE.every((byte, i) => head[i] === byte) ? 100 : 0;
}
