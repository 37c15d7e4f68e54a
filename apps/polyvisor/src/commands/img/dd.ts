import { createImage, openImage, PartNode, convertImage } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import {
  environmentOf,
  lastText,
  openingOf,
  openNamed,
  sizeArgument,
  withImage,
} from '../../img/image-access.ts';

const BLOCK_BYTES = 512;
const SECTOR_BYTES = 512;
const MOST_BLOCK_BYTES = 2 ** 31 - 1;

/** `polyvisor img dd`. */
export const imgDd: CommandHandler = async ({ options, operands }) => {
  const given = new Map(operands.map(splitOperand));
  const unknown = [...given.keys()].find((name) => !['if', 'of', 'bs', 'count', 'skip'].includes(name));
  if (unknown !== undefined)
    throw new PolyvisorError('invalid-argument', { what: `unrecognized operand ${unknown}` });
  const input = given.get('if');
  const output = given.get('of');
  if (input === undefined || output === undefined) {
    throw new PolyvisorError('invalid-argument', { what: 'Must specify both input and output file names' });
  }
  const number = (name: string): number | undefined => {
    const text = given.get(name);
    if (text === undefined) return undefined;
    const value = sizeArgument(text, name);
    if (name === 'bs' && (value === 0 || value > MOST_BLOCK_BYTES)) {
      throw new PolyvisorError('invalid-argument', {
        what: "Invalid number: 'bs' must be between 1 and 2147483647",
        which: text,
      });
    }
    return value;
  };
  const block = number('bs') ?? BLOCK_BYTES;
  const skip = number('skip') ?? 0;
  const count = number('count');
  const environment = environmentOf(options);
  const format = lastText(options, 'output-format') ?? 'raw';
  await withImage(openNamed(input, options, environment, openingOf(options)), async (source) => {
    const end = count === undefined ? source.size : Math.min(source.size, (count + skip) * block);
    const start = Math.min(skip * block, end);
    if (skip * block > source.size)
      process.stderr.write(`polyvisor: ${input}: cannot skip to specified offset\n`);
    const part = new PartNode(source, start, end - start);
    const size = Math.ceil(part.size / SECTOR_BYTES) * SECTOR_BYTES;
    const protocol = { 'immediate-writes': true, cache: 'unsafe' };
    await createImage(output, { format, size: format === 'raw' ? part.size : size, protocol }, environment);
    const target = openImage(output, { readOnly: false, format, protocol }, environment);
    await withImage(target, (node) => convertImage([part], node, { targetIsZero: true }));
  });
  return 0;
};

function splitOperand(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new PolyvisorError('invalid-argument', { what: `unrecognized operand ${text}` });
}
