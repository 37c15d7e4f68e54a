/** `KDMV`: a sparse extent; `COWD`: one of ESX. */
export const SPARSE_MAGIC = 'KDMV';
export const COWD_MAGIC = 'COWD';

/** How sure the first bytes of a file are VMDK: a sparse extent, or a text whose first setting is its version. */
export function probeVmdk(head: Uint8Array): number {
  const magic = String.fromCharCode(...head.subarray(0, 4));
  if (magic === SPARSE_MAGIC || magic === COWD_MAGIC) return 100;
  const text = String.fromCharCode(...head.subarray(0, 1024));
  return /^(?:#[^\n]*\n| *\r?\n)*version=[123]\r?\n/.test(text) ? 100 : 0;
}
