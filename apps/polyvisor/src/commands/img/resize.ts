import { PolyvisorError } from '@polyvisor/contracts';
import type { ResizeOptions } from '@polyvisor/block';
import type { CommandHandler } from '../../cli/command-spec.ts';
import {
  environmentOf,
  lastText,
  openingOf,
  openNamed,
  sizeArgument,
  withImage,
} from '../../img/image-access.ts';

const SECTOR_BYTES = 512;

/** `polyvisor img resize`. */
export const imgResize: CommandHandler = async ({ options, operands }) => {
  const [file, text] = operands as [string, string];
  const sign = /^[+-]/.exec(text)?.[0];
  const bytes = sizeArgument(sign === undefined ? text : text.slice(1), 'image size');
  const preallocation = (lastText(options, 'preallocation') ?? 'off') as NonNullable<
    ResizeOptions['preallocation']
  >;
  await withImage(
    openNamed(file, options, environmentOf(options), openingOf(options, { readOnly: false })),
    async (node) => {
      const wanted = sign === '+' ? node.size + bytes : sign === '-' ? node.size - bytes : bytes;
      if (wanted <= 0)
        throw new PolyvisorError('invalid-argument', { what: 'New image size must be positive' });
      const size = Math.ceil(wanted / SECTOR_BYTES) * SECTOR_BYTES;
      if (node.resize === undefined) {
        throw new PolyvisorError('unsupported', { what: 'This image does not support resize', which: file });
      }
      const shrink = options['shrink'] === true;
      if (size < node.size && !shrink) {
        throw new PolyvisorError('invalid-argument', {
          what: 'Use the --shrink option to perform a shrink operation',
          hint: "Shrinking an image will delete all data beyond the shrunken image's end",
        });
      }
      if (size < node.size && preallocation !== 'off') {
        throw new PolyvisorError('invalid-argument', {
          what: 'Preallocation can only be used for growing images',
        });
      }
      await node.resize(size, { preallocation, shrink });
      await node.flush();
    },
  );
  if (options['quiet'] !== true) process.stdout.write('Image resized.\n');
  return 0;
};
