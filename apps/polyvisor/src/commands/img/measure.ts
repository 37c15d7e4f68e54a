import { findFormat, parseOptionValues } from '@polyvisor/block';
import type { BlockNode, Measurement } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import {
  creationOptions,
  environmentOf,
  lastText,
  openingOf,
  openNamed,
  sizeArgument,
  withImage,
} from '../../img/image-access.ts';
import { formatQemuJson } from '../../img/qemu-json.ts';
import { chooseSnapshot } from './convert.ts';
import { wantsJson } from './info.ts';

/** `polyvisor img measure`. */
export const imgMeasure: CommandHandler = async ({ options, operands }) => {
  const json = wantsJson(options);
  const environment = environmentOf(options);
  const [file] = operands;
  const sizeText = lastText(options, 'size');
  if (file !== undefined && sizeText !== undefined) {
    throw new PolyvisorError('invalid-argument', {
      what: '--size N cannot be used together with a filename',
    });
  }
  if (file === undefined && sizeText === undefined) {
    throw new PolyvisorError('invalid-argument', {
      what: 'Either --size N or one filename must be specified',
    });
  }
  const format = lastText(options, 'output-format') ?? 'raw';
  const driver = await findFormat(format, environment).load();
  if (driver.measure === undefined) {
    throw new PolyvisorError('unsupported', {
      what: 'Format driver does not support size measurement',
      which: format,
    });
  }
  const measure = driver.measure.bind(driver);
  const known = (driver.createOptions ?? []).filter(({ name }) => name !== 'size');
  const values = parseOptionValues(known, creationOptions(options), format);
  const of = (source: BlockNode): Promise<Measurement> => measure({ size: source.size, values, source });
  const result =
    file === undefined
      ? await measure({ size: sizeArgument(sizeText!, 'image size'), values })
      : await withImage(openNamed(file, options, environment, openingOf(options)), async (node) =>
          of(await chooseSnapshot(node, lastText(options, 'snapshot'))),
        );
  if (json) {
    const { required, fullyAllocated, bitmaps } = result;
    process.stdout.write(
      `${formatQemuJson({ required, 'fully-allocated': fullyAllocated, ...(bitmaps === undefined ? {} : { bitmaps }) })}\n`,
    );
    return 0;
  }
  process.stdout.write(`required size: ${result.required}\nfully allocated size: ${result.fullyAllocated}\n`);
  if (result.bitmaps !== undefined) process.stdout.write(`bitmaps size: ${result.bitmaps}\n`);
  return 0;
};
