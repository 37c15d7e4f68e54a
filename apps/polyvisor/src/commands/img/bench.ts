import type { BlockNode } from '@polyvisor/block';
import { forEachParallel } from '@polyvisor/block';
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

/** `polyvisor img bench`. */
export const imgBench: CommandHandler = async ({ options, operands }) => {
  const number = (name: string, fallback: number): number => {
    const text = lastText(options, name);
    return text === undefined ? fallback : sizeArgument(text, name);
  };
  const count = number('count', 75_000);
  const depth = number('depth', 64);
  const offset = number('offset', 0);
  const bytes = number('buffer-size', 4096);
  const step = number('step-size', 0) || bytes;
  const every = number('flush-interval', 0);
  const pattern = number('pattern', 0);
  const write = options['write'] === true;
  if (depth < 1 || bytes < 1 || pattern > 255)
    throw new PolyvisorError('invalid-argument', {
      what: 'Invalid queue depth, buffer size or pattern specified',
    });
  if (every > 0 && !write)
    throw new PolyvisorError('invalid-argument', {
      what: '--flush-interval is only available in write tests',
    });
  await withImage(
    openNamed(
      operands[0]!,
      options,
      environmentOf(options),
      openingOf(options, { readOnly: !write, cacheOption: 'cache' }),
    ),
    async (node) => {
      if (options['quiet'] !== true) {
        process.stdout.write(
          `Sending ${count} ${write ? 'write' : 'read'} requests, ${bytes} bytes each, ${depth} in parallel (starting at offset ${offset}, step size ${step})\n`,
        );
        if (every > 0) process.stdout.write(`Sending flush every ${every} requests\n`);
      }
      const begun = performance.now();
      await run(node, { count, depth, offset, bytes, step, every, write, pattern });
      const seconds = (performance.now() - begun) / 1000;
      if (options['quiet'] !== true)
        process.stdout.write(`Run completed in ${seconds.toFixed(3)} seconds.\n`);
    },
  );
  return 0;
};

interface BenchRun {
  readonly count: number;
  readonly depth: number;
  readonly offset: number;
  readonly bytes: number;
  readonly step: number;
  readonly every: number;
  readonly write: boolean;
  readonly pattern: number;
}

async function run(node: BlockNode, bench: BenchRun): Promise<void> {
  const { count, depth, offset, bytes, step, every, write, pattern } = bench;
  const room = node.size - bytes;
  if (room < 0)
    throw new PolyvisorError('invalid-argument', {
      what: 'the image is smaller than one request',
      which: node.name,
    });
  const buffers = Array.from({ length: depth }, () => new Uint8Array(bytes).fill(pattern));
  const offsets = function* (): Generator<number> {
    for (let i = 0, at = offset; i < count; i++, at += step) {
      if (at > room) at %= room + 1;
      yield at;
    }
  };
  let done = 0;
  await forEachParallel(offsets(), depth, async (at) => {
    const buffer = buffers.pop()!;
    if (write) await node.write(at, buffer);
    else await node.read(at, buffer);
    buffers.push(buffer);
    done++;
    if (every > 0 && done % every === 0) await node.flush();
  });
}
