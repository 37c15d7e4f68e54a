import type { FormatNode } from '@polyvisor/block';
import { commitImage, emptyImage, openImage, resolveReference } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { environmentOf, lastText, openingOf, openNamed, sizeArgument } from '../../img/image-access.ts';
import { createTextProgress } from '../../img/text-progress.ts';

/** `polyvisor img commit`. */
export const imgCommit: CommandHandler = async ({ options, operands }) => {
  const environment = environmentOf(options);
  const base = lastText(options, 'base');
  const rate = lastText(options, 'rate-limit');
  const opening = openingOf(options, { readOnly: false, backing: false, cacheOption: 'cache' });
  const progress = createTextProgress(options['progress'] === true && options['quiet'] !== true);
  const top = await openNamed(operands[0]!, options, environment, opening);
  try {
    // One image at a time: the last one is written to, those between are only read.
    let above: FormatNode = top;
    for (;;) {
      const { backing } = above;
      if (backing?.reference === undefined) {
        throw new PolyvisorError(base === undefined || above === top ? 'invalid-argument' : 'not-found', {
          what:
            base === undefined || above === top
              ? 'Image does not have a backing file'
              : `Did not find '${base}' in the backing chain of '${operands[0]!}'`,
        });
      }
      const path = resolveReference(above.name, backing.reference);
      const last = base === undefined || base === path || base === backing.reference;
      const node: FormatNode = await openImage(
        path,
        {
          readOnly: !last,
          backing: false,
          ...(backing.format === undefined ? {} : { format: backing.format }),
          ...(opening.protocol === undefined ? {} : { protocol: opening.protocol }),
        },
        environment,
      );
      backing.setNode(node);
      above = node;
      if (last) break;
    }
    await linkRest(above);
    await commitImage(top, above, {
      ...(progress.update === undefined ? {} : { progress: progress.update }),
      ...(rate === undefined ? {} : { rate: sizeArgument(rate, 'rate limit') }),
    });
    if (options['keep'] !== true && base === undefined) await emptyImage(top);
  } finally {
    await top.close();
  }
  progress.end();
  if (options['quiet'] !== true) process.stdout.write('Image committed.\n');
  return 0;

  /** What the base itself stands on: partial clusters are filled from there. */
  async function linkRest(node: FormatNode): Promise<void> {
    const { backing } = node;
    if (backing?.reference === undefined) return;
    backing.setNode(
      await openImage(
        resolveReference(node.name, backing.reference),
        { readOnly: true, ...(backing.format === undefined ? {} : { format: backing.format }) },
        environment,
      ),
    );
  }
};
