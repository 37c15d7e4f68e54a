/** How sure the first bytes are of LUKS, version 1. */
export function probeLuks(head: Uint8Array): number {
  const magic = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe, 0, 1];
  return magic.every((byte, at) => head[at] === byte) ? 100 : 0;
}
