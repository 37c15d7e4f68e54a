import type { BitmapCapability } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler, OptionValues } from '../../cli/command-spec.ts';
import {
  environmentOf,
  lastText,
  openingOf,
  openNamed,
  sizeArgument,
  withImage,
} from '../../img/image-access.ts';

/** `polyvisor img bitmap`: actions are done in the order add, remove, clear, enable, disable, merge. */
export const imgBitmap: CommandHandler = async ({ options, operands }) => {
  const [file, name] = operands as [string, string];
  const merges = options['merge'];
  const actions = ACTIONS.filter(([option]) => options[option] === true);
  if (actions.length === 0 && typeof merges !== 'object') {
    throw new PolyvisorError('invalid-argument', {
      what: 'Need at least one of --add, --remove, --clear, --enable, --disable, or --merge',
    });
  }
  const granularity = lastText(options, 'granularity');
  if (granularity !== undefined && options['add'] !== true) {
    throw new PolyvisorError('invalid-argument', { what: 'granularity only supported with --add' });
  }
  const sourceFile = lastText(options, 'source-file');
  if (sourceFile !== undefined && typeof merges !== 'object') {
    throw new PolyvisorError('invalid-argument', { what: '-b only supported with --merge' });
  }
  const environment = environmentOf(options);
  await withImage(
    openNamed(file, options, environment, openingOf(options, { readOnly: false })),
    async (node) => {
      const { bitmaps } = node;
      if (bitmaps === undefined) {
        throw new PolyvisorError('unsupported', {
          what: `this format has no persistent bitmaps`,
          which: node.driver,
        });
      }
      for (const [, act] of actions) await act(bitmaps, name, options);
      for (const other of typeof merges === 'object' ? merges : []) {
        if (sourceFile === undefined) await bitmaps.merge(name, { bitmaps, name: other, size: node.size });
        else {
          const opening = openingOf(options, { formatOption: 'source-format' });
          await withImage(openNamed(sourceFile, options, environment, opening), async (source) => {
            if (source.bitmaps === undefined) {
              throw new PolyvisorError('not-found', { what: 'image has no bitmaps', which: sourceFile });
            }
            await bitmaps.merge(name, { bitmaps: source.bitmaps, name: other, size: source.size });
          });
        }
      }
    },
  );
  return 0;
};

type Action = (bitmaps: BitmapCapability, name: string, options: OptionValues) => Promise<void>;

const ACTIONS: readonly (readonly [option: string, act: Action])[] = [
  [
    'add',
    (bitmaps, name, options) => {
      const granularity = lastText(options, 'granularity');
      const bytes = granularity === undefined ? undefined : sizeArgument(granularity, 'granularity');
      // One that is to be disabled at once never records.
      return bitmaps.add(name, bytes, options['disable'] !== true);
    },
  ],
  ['remove', (bitmaps, name) => bitmaps.remove(name)],
  ['clear', (bitmaps, name) => bitmaps.clear(name)],
  ['enable', (bitmaps, name) => bitmaps.setRecording(name, true)],
  ['disable', (bitmaps, name) => bitmaps.setRecording(name, false)],
];
