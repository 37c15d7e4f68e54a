import type { CommandHandler } from '../cli/command-spec.ts';
import { cacheFolder } from '../image/cache-folder.ts';
import { parseImageName } from '../image/image-name.ts';
import { createImageStore } from '../image/image-store.ts';
import { describeImage, outputFormat } from './image-output.ts';
import { missingImage } from './missing-image.ts';

/** `polyvisor image inspect`. */
export const imageInspect: CommandHandler = async ({ options, operands }) => {
  const format = outputFormat(options);
  const name = parseImageName(operands[0]!);
  const manifest = createImageStore(cacheFolder()).read(name);
  if (manifest === undefined) throw missingImage(name);
  const image = describeImage(manifest);
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify(image, undefined, 2)}\n`);
    return 0;
  }
  const lines = [
    `name      ${image.name}`,
    `pulled    ${image.pulledAt} from ${image.mirror}`,
    `trust     ${image.trust}: ${image.trustDetail}`,
    `append    ${image.append}`,
    ...image.packages.map(({ name, version }) => `package   ${name} ${version}`),
    ...Object.entries(image.files).map(([key, { path, size }]) => `${key.padEnd(11)}${path} (${size} bytes)`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
};
