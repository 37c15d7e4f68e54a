/** OpenSBI's `fw_dynamic_info`, version 2: tells firmware where the next stage is. Source: OpenSBI, docs/firmware/fw_dynamic.md. */
export interface FwDynamicInfo {
  /** Entry of the kernel. */
  readonly nextAddress: number;
  /** Privilege to enter it with: 1 is S-mode. */
  readonly nextMode: number;
  /** Hart that boots, or -1 for any. */
  readonly bootHart: number;
}

/** "OSBI" in reading order of the word. */
const MAGIC = 0x4942_534f;
const VERSION = 2;
export const FW_DYNAMIC_INFO_SIZE = 48;

/** Six 64-bit little-endian words: magic, version, next address, next mode, options, boot hart. */
export function encodeFwDynamicInfo(info: FwDynamicInfo): Uint8Array {
  const bytes = new Uint8Array(FW_DYNAMIC_INFO_SIZE);
  const view = new DataView(bytes.buffer);
  const words = [MAGIC, VERSION, info.nextAddress, info.nextMode, 0, info.bootHart];
  words.forEach((word, index) => view.setBigInt64(index * 8, BigInt(word), true));
  return bytes;
}
