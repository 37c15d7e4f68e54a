const UNITS = [
  ['EiB', 2 ** 60],
  ['PiB', 2 ** 50],
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

/** `64 KiB`, `1.500 MiB`, `512 bytes`: as qemu-io prints sizes. */
export function formatAmount(value: number): string {
  for (const [unit, bytes] of UNITS) {
    if (value >= bytes) return `${(value / bytes).toFixed(3).replace('.000', '')} ${unit}`;
  }
  return `${value.toFixed(3).replace('.000', '')} bytes`;
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');

/** What an operation did and how fast. */
export function formatReport(
  operation: string,
  offset: number,
  done: number,
  asked: number,
  count: number,
  ms: number,
  csv: boolean,
): string {
  const seconds = Math.max(ms, 0.001) / 1000;
  const time = `${two(seconds)}.${two((seconds % 1) * 100)}`;
  if (csv)
    return `${done},${count},${time} sec,${(done / seconds).toFixed(3)},${(count / seconds).toFixed(3)}\n`;
  const rate = `${formatAmount(done / seconds)}/sec and ${(count / seconds).toFixed(4)} ops/sec`;
  return `${operation} ${done}/${asked} bytes at offset ${offset}\n${formatAmount(done)}, ${count} ops; ${time} sec (${rate})\n`;
}

/** Bytes as qemu-io -v shows them. */
export function formatDump(bytes: Uint8Array, offset: number): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = row
      .map((byte) => (/[A-Za-z0-9]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : '.'))
      .join('');
    text += `${(offset + at).toString(16).padStart(8, '0')}:  ${hex}  ${letters}\n`;
  }
  return text;
}
