import type { CommandHandler } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { DEFAULT_IMAGE, formatImageName, parseImageName } from '../image/image-name.ts';
import { pullNamed } from '../image/pull-to-cache.ts';
import { describeImage, outputFormat } from './image-output.ts';

/** `polyvisor image pull`. */
export const imagePull: CommandHandler = async ({ options, operands }) => {
  const format = outputFormat(options);
  const name = parseImageName(operands[0] ?? DEFAULT_IMAGE);
  const mirror = optionText(options, 'mirror');
  const { manifest, changed } = await pullNamed(name, {
    ...(mirror === undefined ? {} : { mirror }),
    allowUnsigned: options['allow-unsigned'] === true,
    force: options['force'] === true,
  });
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ ...describeImage(manifest), changed }, undefined, 2)}\n`);
  } else {
    const version = manifest.packages[0]?.version ?? '';
    process.stdout.write(
      `${formatImageName(name)}: ${changed ? 'pulled' : 'up to date'} (${manifest.packages[0]?.name ?? ''} ${version})\n`,
    );
  }
  return 0;
};
