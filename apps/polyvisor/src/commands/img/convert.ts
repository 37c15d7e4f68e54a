import type { BlockEnvironment, BlockNode, ConvertOptions, FormatNode, Json } from '@polyvisor/block';
import { convertImage, createImage, findFormat, openImage } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler, OptionValues } from '../../cli/command-spec.ts';
import type { ResumeRecord } from '../../img/resume-record.ts';
import { createResumeRecord } from '../../img/resume-record.ts';
import {
  cacheMode,
  creationOptions,
  environmentOf,
  lastText,
  openingOf,
  openNamed,
  referenceOf,
  sizeArgument,
  withImage,
} from '../../img/image-access.ts';
import { formatOptionHelp } from '../../img/option-help.ts';
import { createTextProgress } from '../../img/text-progress.ts';
import { wantsOptionHelp } from '../../img/image-access.ts';
import { addBacking, named } from './create.ts';

const MOST_PARALLEL = 16;

/** `polyvisor img convert`. */
export const imgConvert: CommandHandler = async ({ options, operands }) => {
  const environment = environmentOf(options);
  const format = lastText(options, 'output-format') ?? 'raw';
  if (wantsOptionHelp(options)) {
    const driver = await findFormat(format, environment).load();
    process.stdout.write(formatOptionHelp(driver.createOptions ?? [], 'Supported options:'));
    return 0;
  }
  const conversion = readOptions(options);
  const opened: FormatNode[] = [];
  const sources: BlockNode[] = [];
  try {
    for (const name of operands.slice(0, -1)) {
      const node = await openNamed(
        name,
        options,
        environment,
        openingOf(options, { cacheOption: 'source-cache' }),
      );
      opened.push(node);
      sources.push(await chooseSnapshot(node, lastText(options, 'snapshot')));
    }
    const resume = options['resume'] === true ? createResumeRecord(operands, options) : undefined;
    const from = resume?.offset;
    if (options['no-create'] !== true && from === undefined) {
      await createTarget(operands.at(-1)!, format, sources, options, environment);
    }
    await withImage(openTarget(operands.at(-1)!, format, options, environment), (target) =>
      copy(sources, target, conversion, options, resume),
    );
    resume?.end();
  } finally {
    for (const node of opened) await node.close();
  }
  return 0;
};

async function copy(
  sources: readonly BlockNode[],
  target: FormatNode,
  conversion: ConvertOptions,
  options: OptionValues,
  resume: ResumeRecord | undefined,
): Promise<void> {
  const progress = createTextProgress(options['progress'] === true && options['quiet'] !== true);
  const created = options['no-create'] !== true;
  // What is there without having been written decrypts to anything.
  const { preallocation = 'off' } = creationOptions(options);
  const noise = preallocation !== 'off' && (await target.describe?.())?.encrypted === true;
  // Whatever was under way when the first attempt ended.
  if (resume?.offset !== undefined) await target.checking?.check('leaks');
  await convertImage(sources, target, {
    ...conversion,
    targetIsZero: created
      ? !isDevice(target) && target.newIsZero !== false && !noise
      : options['target-is-zero'] === true,
    targetHasBacking:
      lastText(options, 'backing') !== undefined || (created && target.backing?.node !== undefined),
    ...(progress.update === undefined ? {} : { progress: progress.update }),
    ...(resume === undefined ? {} : { onCheckpoint: (offset: number) => resume.save(offset) }),
    ...(resume?.offset === undefined ? {} : { from: resume.offset }),
  });
  if (options['bitmaps'] === true)
    await copyBitmaps(sources, target, options['skip-broken-bitmaps'] === true);
  await target.flush();
  progress.end();
}

function readOptions(options: OptionValues): ConvertOptions {
  const sparse = lastText(options, 'sparse');
  const sparseBytes =
    sparse === undefined ? undefined : sizeArgument(sparse, 'buffer size for sparse output');
  if (sparseBytes !== undefined && sparseBytes % 512 !== 0) {
    throw new PolyvisorError('invalid-argument', {
      what: 'Invalid buffer size for sparse output specified. Valid sizes are multiples of 512 up to 2147483136. Select 0 to disable sparse detection (fully allocates output).',
    });
  }
  const parallelText = lastText(options, 'parallel');
  const parallel = Number(parallelText ?? 1);
  if (!Number.isInteger(parallel) || parallel < 1 || parallel > MOST_PARALLEL) {
    throw new PolyvisorError('invalid-argument', {
      what: `Invalid number of coroutines. Allowed number of coroutines is between 1 and ${MOST_PARALLEL}`,
    });
  }
  const rate = lastText(options, 'rate-limit');
  const compressed = options['compress'] === true;
  if (options['copy-offloading'] === true && compressed) {
    throw new PolyvisorError('invalid-argument', { what: 'Cannot enable copy offloading when -c is used' });
  }
  if (options['target-is-zero'] === true && options['no-create'] !== true) {
    throw new PolyvisorError('invalid-argument', { what: '--target-is-zero requires use of -n flag' });
  }
  if (lastText(options, 'backing') !== undefined && sparseBytes === 0) {
    throw new PolyvisorError('invalid-argument', { what: 'Cannot use -B with -S 0' });
  }
  return {
    ...(parallelText === undefined ? {} : { parallel }),
    compressed,
    outOfOrder: options['out-of-order'] === true,
    ...(sparseBytes === undefined ? {} : { sparseBytes }),
    ...(rate === undefined ? {} : { rate: sizeArgument(rate, 'rate limit') }),
    ...(options['salvage'] === true
      ? {
          salvage: (offset: number, length: number, error: unknown) =>
            void process.stderr.write(
              `polyvisor: warning: error while reading ${length} bytes at offset ${offset}: ${error instanceof Error ? error.message : String(error)}\n`,
            ),
        }
      : {}),
  };
}

/** `snapshot.id=1,snapshot.name=x`, or an id or name. */
export async function chooseSnapshot(node: FormatNode, parameter: string | undefined): Promise<BlockNode> {
  if (parameter === undefined) return node;
  const name = /^(?:.*,)?snapshot\.(?:id|name)=([^,]*)/.exec(parameter)?.[1] ?? parameter;
  if (node.snapshots !== undefined) return node.snapshots.open(name);
  throw new PolyvisorError('unsupported', {
    what: 'Failed to load snapshot: this format has none',
    which: node.name,
  });
}

async function createTarget(
  name: string,
  format: string,
  sources: readonly BlockNode[],
  options: OptionValues,
  environment: BlockEnvironment,
): Promise<void> {
  if (options['target-image-opts'] === true) {
    throw new PolyvisorError('invalid-argument', { what: '--target-image-opts requires use of -n flag' });
  }
  const driver = await findFormat(format, environment).load();
  const values: Record<string, Json> = { ...creationOptions(options) };
  addBacking(
    values,
    lastText(options, 'backing'),
    lastText(options, 'backing-format'),
    driver.createOptions ?? [],
    format,
  );
  if (
    options['compress'] === true &&
    values['preallocation'] !== undefined &&
    values['preallocation'] !== 'off'
  ) {
    throw new PolyvisorError('invalid-argument', {
      what: 'Compression and preallocation not supported at the same time',
    });
  }
  const size = sources.reduce((sum, node) => sum + node.size, 0);
  await named(
    name,
    createImage(name, { format, size, values, protocol: targetProtocol(options) }, environment),
    `error while converting ${format}: `,
  );
}

function targetProtocol(options: OptionValues): { readonly [option: string]: Json } {
  return { 'immediate-writes': true, cache: cacheMode(lastText(options, 'cache')) ?? 'unsafe' };
}

async function openTarget(
  name: string,
  format: string,
  options: OptionValues,
  environment: BlockEnvironment,
): Promise<FormatNode> {
  const asOptions = options['target-image-opts'] === true;
  // What it was encrypted with opens it.
  const { openOptions } = await findFormat(format, environment).load();
  const values = Object.fromEntries(
    Object.entries(creationOptions(options)).filter(
      ([option]) => option.endsWith('key-secret') && openOptions.some((each) => each.name === option),
    ),
  );
  return openImage(
    referenceOf(name, asOptions),
    { readOnly: false, protocol: targetProtocol(options), ...(asOptions ? {} : { format, values }) },
    environment,
  );
}

/** A device may hold anything; a new file doesn't. */
function isDevice(node: BlockNode): boolean {
  return node.driver === 'raw' && [...node.children.values()].some(({ driver }) => driver === 'host_device');
}

async function copyBitmaps(
  sources: readonly BlockNode[],
  target: FormatNode,
  skipBroken: boolean,
): Promise<void> {
  const source = sources[0] as FormatNode;
  if (sources.length !== 1 || source.bitmaps === undefined) {
    throw new PolyvisorError('invalid-argument', {
      what: 'Format driver does not support bitmaps',
      which: source.name,
    });
  }
  if (target.bitmaps === undefined) {
    throw new PolyvisorError('unsupported', {
      what: 'Format driver does not support bitmaps',
      which: target.driver,
    });
  }
  for (const { name, granularity, recording, inconsistent } of source.bitmaps.list()) {
    if (inconsistent && skipBroken) continue;
    if (inconsistent) {
      throw new PolyvisorError('corrupt', {
        what: `Cannot copy inconsistent bitmap '${name}'`,
        hint: 'Try --skip-broken-bitmaps, or use img bitmap --remove',
      });
    }
    await target.bitmaps.add(name, granularity, recording);
    await target.bitmaps.merge(name, { bitmaps: source.bitmaps, name, size: source.size });
  }
}
