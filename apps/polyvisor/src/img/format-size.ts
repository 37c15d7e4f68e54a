const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** `64 MiB`, `1.46 KiB`, `512 B`: as QEMU's programs print sizes, three digits. */
export function formatSize(bytes: number): string {
  // A size of 1000 KiB is rather 0.977 MiB.
  const index = bytes === 0 ? 0 : Math.max(0, Math.floor((Math.log2(bytes / 1000) + 10) / 10 + 1e-12));
  const value = bytes / 2 ** (index * 10);
  return `${threeDigits(value)} ${UNITS[index]}B`;
}

/** `%0.3g` of C, for numbers below 1000. */
function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
