import type { CommandHandler } from '../cli/command-spec.ts';
import { cacheFolder } from '../image/cache-folder.ts';
import { createImageStore } from '../image/image-store.ts';
import { describeImage, outputFormat } from './image-output.ts';

/** `polyvisor image ls`. */
export const imageList: CommandHandler = async ({ options }) => {
  const format = outputFormat(options);
  const images = createImageStore(cacheFolder()).list().map(describeImage);
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify(images, undefined, 2)}\n`);
    return 0;
  }
  if (images.length === 0) {
    process.stderr.write('polyvisor: no images; fetch one with: polyvisor image pull\n');
    return 0;
  }
  const rows = images.map(({ name, size, pulledAt, trust, packages }) => [
    name,
    packages[0]?.version ?? '',
    `${(size / 2 ** 20).toFixed(1)} MiB`,
    pulledAt.slice(0, 10),
    trust,
  ]);
  const all = [['NAME', 'VERSION', 'SIZE', 'PULLED', 'TRUST'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  for (const row of all)
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd()}\n`,
    );
  return 0;
};
