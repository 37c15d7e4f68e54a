import { compareImages } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { environmentOf, openingOf, openNamed, withImage } from '../../img/image-access.ts';
import { createTextProgress } from '../../img/text-progress.ts';

const DIFFERENT = 1;
const FAILED = 2;

/** `polyvisor img compare`. Exit status: 0 equal, 1 different, 2 and more: an error. */
export const imgCompare: CommandHandler = async ({ options, operands }) => {
  const environment = environmentOf(options);
  const [first, second] = operands as [string, string];
  const strict = options['strict'] === true;
  const print = (text: string): void => {
    if (options['quiet'] !== true) process.stdout.write(text);
  };
  const progress = createTextProgress(options['progress'] === true && options['quiet'] !== true);
  try {
    return await withImage(
      openNamed(first, options, environment, openingOf(options, { cacheOption: 'source-cache' })),
      (one) =>
        withImage(
          openNamed(
            second,
            options,
            environment,
            openingOf(options, { cacheOption: 'source-cache', formatOption: 'second-format' }),
          ),
          async (two) => {
            const found = await compareImages(one, two, {
              strict,
              ...(progress.update === undefined ? {} : { progress: progress.update }),
            });
            progress.end();
            if (found.kind === 'equal') {
              if (found.sizesDiffer) print('Warning: Image size mismatch!\n');
              print('Images are identical.\n');
              return 0;
            }
            if (found.kind === 'size') print('Strict mode: Image size mismatch!\n');
            else if (found.kind === 'status')
              print(`Strict mode: Offset ${found.offset} block status mismatch!\n`);
            else {
              if (one.size !== two.size && found.offset >= Math.min(one.size, two.size))
                print('Warning: Image size mismatch!\n');
              print(`Content mismatch at offset ${found.offset}!\n`);
            }
            return DIFFERENT;
          },
        ),
    );
  } catch (error) {
    if (!(error instanceof PolyvisorError)) throw error;
    process.stderr.write(`polyvisor: ${error.message}\n`);
    return FAILED;
  }
};
