import type { BlockNode } from '@polyvisor/block';
import { chainOf, openImage, rebaseImage, resolveReference } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { environmentOf, lastText, openingOf, openNamed, withImage } from '../../img/image-access.ts';
import { createTextProgress } from '../../img/text-progress.ts';

/** `polyvisor img rebase`. */
export const imgRebase: CommandHandler = async ({ options, operands }) => {
  const environment = environmentOf(options);
  const base = lastText(options, 'backing');
  const format = lastText(options, 'backing-format');
  const unsafe = options['unsafe'] === true;
  if (base === undefined && !unsafe) {
    throw new PolyvisorError('invalid-argument', {
      what: 'Use backing file (-b) option when rebasing image',
    });
  }
  const opening = openingOf(options, { readOnly: false, backing: !unsafe, cacheOption: 'cache' });
  const progress = createTextProgress(options['progress'] === true && options['quiet'] !== true);
  const reference = base === undefined || base === '' ? undefined : base;
  await withImage(openNamed(operands[0]!, options, environment, opening), async (image) => {
    const { backing } = image;
    if (backing === undefined) {
      throw new PolyvisorError('unsupported', {
        what: `Could not change the backing file to '${base ?? ''}'`,
        limit: 'this format has none',
      });
    }
    if (!unsafe) {
      const next = reference === undefined ? undefined : await openNext(image.name, reference);
      try {
        const inChain = chainOf(image).find((node) => node !== image && node.name === next?.name);
        await rebaseImage(image, next, {
          ...(inChain === undefined ? {} : { nextInChain: inChain }),
          ...(progress.update === undefined ? {} : { progress: progress.update }),
        });
      } finally {
        await next?.close();
      }
    }
    await backing.setReference(reference, reference === undefined ? undefined : format);
  });
  progress.end();
  return 0;

  function openNext(image: string, name: string): Promise<BlockNode> {
    return openImage(
      resolveReference(image, name),
      {
        readOnly: true,
        ...(format === undefined ? {} : { format }),
        shared: options['force-share'] === true,
      },
      { ...environment, probeBacking: 'any' },
    );
  }
};
