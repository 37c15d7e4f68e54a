import { readFileSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import { blockStatus, FaultNode } from '@polyvisor/block';
import type { BlockNode, FaultEvent, FormatNode, ResizeOptions } from '@polyvisor/block';
import { formatSize } from '../img/format-size.ts';
import type { IoArguments } from './io-arguments.ts';
import { IoMistake, numberArgument, parseArguments, patternArgument } from './io-arguments.ts';
import { errnoText } from './io-errno.ts';
import { formatAmount, formatDump, formatReport } from './io-format.ts';
import type { IoShell } from './io-shell.ts';

/** A command of `polyvisor io`. */
export interface IoCommand {
  readonly names: readonly string[];
  readonly usage: string;
  readonly help: string;
  /** Least and most operands. */
  readonly operands: readonly [number, number];
  /** Default true. */
  readonly needsImage?: boolean;
  parse(words: readonly string[]): IoArguments;
  /** @returns false when it failed. */
  run(shell: IoShell, given: IoArguments): Promise<boolean>;
}

const MOST_BYTES = 2 ** 31 - 512;
const DEFAULT_PATTERN = 0xcd;

function command(
  names: string,
  letters: string,
  operands: readonly [number, number],
  usage: string,
  help: string,
  run: IoCommand['run'],
  needsImage = true,
): IoCommand {
  const all = names.split(' ');
  return {
    names: all,
    usage,
    help,
    operands,
    needsImage,
    run,
    parse: (words) => parseArguments(all[0]!, letters, words),
  };
}

/** One operation: done, or its failure printed. */
async function attempt(shell: IoShell, name: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    shell.print(`${name} failed: ${errnoText(error)}\n`);
    return false;
  }
}

function lengthArgument(text: string): number {
  const length = numberArgument(text);
  if (length > MOST_BYTES) throw new IoMistake(`length cannot exceed ${MOST_BYTES}, given ${text}\n`);
  return length;
}

function lengthsOf(operands: readonly string[]): number {
  return operands.map(lengthArgument).reduce((sum, each) => sum + each, 0);
}

/** read, readv, aio_read. */
async function runRead(
  shell: IoShell,
  given: IoArguments,
  length: number,
  count: number,
  name: string,
): Promise<boolean> {
  const { flags, values, operands } = given;
  const image = shell.image!;
  const offset = numberArgument(operands[0]!);
  const pattern = values.has('P') ? patternArgument(values.get('P')!) : undefined;
  const from = values.has('s') ? numberArgument(values.get('s')!) : 0;
  const checked = values.has('l') ? numberArgument(values.get('l')!) : length - from;
  if (from < 0 || from + checked > length) {
    shell.print('pattern verification range exceeds end of read data\n');
    return false;
  }
  const bytes = new Uint8Array(length).fill(0xab);
  const begun = performance.now();
  const reading = (): Promise<void> =>
    flags.has('b') ? vmStateOf(image).read(offset, bytes) : image.read(offset, bytes);
  if (!(await attempt(shell, name, reading))) return false;
  const ms = performance.now() - begun;
  let equal = true;
  if (pattern !== undefined && bytes.subarray(from, from + checked).some((byte) => byte !== pattern)) {
    shell.print(`Pattern verification failed at offset ${offset + from}, ${checked} bytes\n`);
    equal = false;
  }
  if (flags.has('q')) return equal;
  if (flags.has('v')) shell.print(formatDump(bytes, offset));
  shell.print(formatReport('read', offset, length, length, count, ms, flags.has('C')));
  return equal;
}

/** write, writev, aio_write. */
async function runWrite(
  shell: IoShell,
  given: IoArguments,
  length: number,
  count: number,
  name: string,
): Promise<boolean> {
  const { flags, values, operands } = given;
  const image = shell.image!;
  const offset = numberArgument(operands[0]!);
  const zeroes = flags.has('z');
  if (zeroes && (values.has('P') || values.has('s'))) {
    throw new IoMistake('-z and -P cannot be specified at the same time\n');
  }
  if (flags.has('u') && !zeroes) throw new IoMistake('-u requires -z to be specified\n');
  if (flags.has('c') && zeroes) throw new IoMistake('-c and -z cannot be specified at the same time\n');
  if (image.readOnly) {
    process.stderr.write('polyvisor: Block node is read-only\n');
    return false;
  }
  const bytes = zeroes ? undefined : contents(values, length);
  const begun = performance.now();
  const done = await attempt(shell, name, async () => {
    const fua = flags.has('f');
    if (bytes === undefined) {
      await image.writeZeroes(offset, length, { fua, mayUnmap: flags.has('u'), onlyFast: flags.has('n') });
    } else if (flags.has('b')) await vmStateOf(image).write(offset, bytes);
    else if (flags.has('c')) await writeCompressed(image, offset, bytes);
    else await image.write(offset, bytes, { fua });
  });
  if (!done) return false;
  if (!flags.has('q')) {
    shell.print(
      formatReport('wrote', offset, length, length, count, performance.now() - begun, flags.has('C')),
    );
  }
  return true;
}

async function writeCompressed(image: FormatNode, offset: number, bytes: Uint8Array): Promise<void> {
  const { compression } = image;
  if (compression === undefined) throw new IoMistake('write failed: Operation not supported\n');
  const { clusterSize } = compression;
  if (
    offset % clusterSize !== 0 ||
    (bytes.length % clusterSize !== 0 && offset + bytes.length !== image.size)
  ) {
    throw new IoMistake('write failed: Invalid argument\n');
  }
  for (let at = 0; at < bytes.length; at += clusterSize) {
    await compression.write(offset + at, bytes.subarray(at, at + clusterSize));
  }
}

function contents(values: ReadonlyMap<string, string>, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const source = values.get('s');
  if (source === undefined)
    return bytes.fill(values.has('P') ? patternArgument(values.get('P')!) : DEFAULT_PATTERN);
  let file: Uint8Array;
  try {
    file = readFileSync(source);
  } catch (cause) {
    throw new IoMistake(
      `${source}: ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'No such file or directory' : String(cause)}\n`,
    );
  }
  if (file.length === 0) throw new IoMistake(`${source}: file is empty\n`);
  for (let at = 0; at < length; at += file.length)
    bytes.set(file.subarray(0, Math.min(file.length, length - at)), at);
  return bytes;
}

/** What of a range the image itself holds. */
async function ownRun(
  image: FormatNode,
  offset: number,
  length: number,
): Promise<{ readonly length: number; readonly allocated: boolean }> {
  const first = await image.map(offset, length);
  let total = first.length;
  while (total < length) {
    const next = await image.map(offset + total, length - total);
    if (next.allocated !== first.allocated) break;
    total += next.length;
  }
  return { length: total, allocated: first.allocated };
}

const EVENTS: readonly FaultEvent[] = ['read', 'write', 'zero', 'discard', 'flush', 'map', 'resize'];

/** Also QEMU's names of events at the bottom: `write_aio`. */
function eventArgument(text: string): FaultEvent {
  const event = EVENTS.find((each) => text === each || text === `${each}_aio` || text === `pwritev_${each}`);
  if (event === undefined) throw new IoMistake(`Could not set a breakpoint: Invalid argument\n`);
  return event;
}

/** The node that injects faults, wherever in the graph it is. */
function faultOf({ image }: IoShell): FaultNode {
  const left: BlockNode[] = [image!];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    if (node instanceof FaultNode) return node;
    left.push(...node.children.values());
  }
  throw new IoMistake('Could not set a breakpoint: Operation not supported\n');
}

/** Mistakes of a command that goes on by itself are printed. */
function told(shell: IoShell, work: Promise<boolean>): Promise<boolean> {
  return work.catch((error: unknown) => {
    if (!(error instanceof IoMistake)) throw error;
    shell.print(error.message);
    return false;
  });
}

interface VmState {
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
}

/** Machine state beyond the disk's end, as snapshots store it. */
function vmStateOf(image: FormatNode): VmState {
  const { vmState } = image as FormatNode & { readonly vmState?: VmState };
  if (vmState !== undefined) return vmState;
  throw new PolyvisorError('unsupported', { what: 'image keeps no machine state', which: image.name });
}

/** All commands. */
export const IO_COMMANDS: readonly IoCommand[] = [
  command(
    'read r',
    'abCl:pP:qrs:v',
    [2, Infinity],
    '[-Cqv] [-P pattern [-s off] [-l len]] off len',
    'reads a number of bytes at a specified offset',
    (shell, given) => runRead(shell, given, lengthArgument(given.operands[1]!), 1, 'read'),
  ),
  command(
    'readv rv',
    'CP:qrv',
    [2, Infinity],
    '[-Cqv] [-P pattern] off len [len..]',
    'reads a number of bytes at a specified offset',
    (shell, given) => runRead(shell, given, lengthsOf(given.operands.slice(1)), 1, 'readv'),
  ),
  command(
    'write w',
    'bcCfnpP:qrs:uz',
    [2, Infinity],
    '[-cCfnquz] [-P pattern | -s source_file] off len',
    'writes a number of bytes at a specified offset',
    (shell, given) => runWrite(shell, given, lengthArgument(given.operands[1]!), 1, 'write'),
  ),
  command(
    'writev wv',
    'CfqrP:',
    [2, Infinity],
    '[-Cfq] [-P pattern] off len [len..]',
    'writes a number of bytes at a specified offset',
    (shell, given) => runWrite(shell, given, lengthsOf(given.operands.slice(1)), 1, 'writev'),
  ),
  command(
    'multiwrite',
    'CqP:',
    [2, Infinity],
    '[-Cq] [-P pattern] off len [len..] [; off len [len..]..]',
    'issues several writes at once',
    async (shell, given) => {
      const requests = given.operands
        .join(' ')
        .split(';')
        .map((part) => part.trim().split(/\s+/));
      const done = await Promise.all(
        requests.map((operands) =>
          runWrite(shell, { ...given, operands }, lengthsOf(operands.slice(1)), 1, 'multiwrite'),
        ),
      );
      return done.every(Boolean);
    },
  ),
  command(
    'aio_read',
    'CP:iqrv',
    [2, Infinity],
    '[-Ciqv] [-P pattern] off len [len..]',
    'asynchronously reads a number of bytes',
    async (shell, given) => {
      const length = lengthsOf(given.operands.slice(1));
      numberArgument(given.operands[0]!);
      shell.begin(told(shell, runRead(shell, given, length, 1, 'aio_read')));
      return true;
    },
  ),
  command(
    'aio_write',
    'CfiP:qruz',
    [2, Infinity],
    '[-Cfiquz] [-P pattern] off len [len..]',
    'asynchronously writes a number of bytes',
    async (shell, given) => {
      const length = lengthsOf(given.operands.slice(1));
      numberArgument(given.operands[0]!);
      shell.begin(told(shell, runWrite(shell, given, length, 1, 'aio_write')));
      return true;
    },
  ),
  command('aio_flush', '', [0, 0], '', 'completes all outstanding aio requests', (shell) => shell.drain()),
  command('flush f', '', [0, 0], '', 'flush all in-core file state to disk', (shell) =>
    attempt(shell, 'flush', () => shell.image!.flush()),
  ),
  command(
    'discard d',
    'Cq',
    [2, Infinity],
    '[-Cq] off len',
    'discards a number of bytes at a specified offset',
    async (shell, { flags, operands }) => {
      const offset = numberArgument(operands[0]!);
      const length = numberArgument(operands[1]!);
      const begun = performance.now();
      if (!(await attempt(shell, 'discard', () => shell.image!.discard(offset, length)))) return false;
      if (!flags.has('q'))
        shell.print(
          formatReport('discard', offset, length, length, 1, performance.now() - begun, flags.has('C')),
        );
      return true;
    },
  ),
  command(
    'truncate t',
    'm:',
    [1, 1],
    '[-m prealloc_mode] off',
    'truncates the current file at the given offset',
    (shell, { values, operands }) => {
      const size = numberArgument(operands[0]!);
      const preallocation = (values.get('m') ?? 'off') as NonNullable<ResizeOptions['preallocation']>;
      if (!['off', 'metadata', 'falloc', 'full'].includes(preallocation)) {
        throw new IoMistake(`invalid parameter value: ${preallocation}\n`);
      }
      return attempt(shell, 'truncate', async () => {
        const image = shell.image!;
        if (image.resize === undefined) throw new IoMistake('truncate failed: Operation not supported\n');
        await image.resize(size, { preallocation, shrink: true });
      });
    },
  ),
  command('length l', '', [0, 0], '', 'gets the length of the current file', async (shell) => {
    shell.print(`${formatAmount(shell.image!.size)}\n`);
    return true;
  }),
  command('info i', '', [0, 0], '', 'prints information about the current file', async (shell) => {
    const { clusterSize = 0, vmStateOffset = 0 } = (await shell.image!.describe?.()) ?? {};
    shell.print(
      `format name: ${shell.image!.driver}\ncluster size: ${formatAmount(clusterSize)}\nvm state offset: ${formatAmount(vmStateOffset)}\n`,
    );
    return true;
  }),
  command(
    'alloc a',
    '',
    [1, 2],
    'offset [count]',
    'checks if offset is allocated in the file',
    async (shell, { operands }) => {
      const image = shell.image!;
      const start = numberArgument(operands[0]!);
      const count = operands[1] === undefined ? 512 : numberArgument(operands[1]);
      if (start + count > image.size) throw new IoMistake('is_allocated failed: Input/output error\n');
      let allocated = 0;
      for (let at = start; at < start + count;) {
        const run = await ownRun(image, at, start + count - at);
        if (run.allocated) allocated += run.length;
        at += run.length;
      }
      shell.print(`${allocated}/${count} bytes allocated at offset ${formatAmount(start)}\n`);
      return true;
    },
  ),
  command('map', '', [0, 0], '', 'prints the allocated areas of a file', async (shell) => {
    const image = shell.image!;
    for (let at = 0; at < image.size;) {
      const { length, allocated } = await ownRun(image, at, image.size - at);
      shell.print(
        `${formatAmount(length)} (0x${length.toString(16)}) bytes ${allocated ? '    allocated' : 'not allocated'} at offset ${formatAmount(at)} (0x${at.toString(16)})\n`,
      );
      at += length;
    }
    return true;
  }),
  command(
    'status',
    '',
    [1, 2],
    'offset [count]',
    'tells what the chain holds at an offset',
    async (shell, { operands }) => {
      const offset = numberArgument(operands[0]!);
      const extent = await blockStatus(
        shell.image!,
        offset,
        operands[1] === undefined ? shell.image!.size - offset : numberArgument(operands[1]),
      );
      shell.print(
        `${formatSize(extent.length)} depth ${extent.depth} ${extent.allocated ? 'allocated' : 'not allocated'} ${extent.zero ? 'zero' : 'data'}\n`,
      );
      return true;
    },
  ),
  command(
    'break',
    '',
    [2, 2],
    'event tag',
    'stops the next operation of this kind (needs a fault node)',
    async (shell, { operands }) => {
      faultOf(shell).break(eventArgument(operands[0]!), operands[1]!);
      return true;
    },
  ),
  command('remove_break', '', [1, 1], 'tag', 'removes a break point', async (shell, { operands }) => {
    if (faultOf(shell).removeBreak(operands[0]!)) return true;
    throw new IoMistake(`Could not remove breakpoint ${operands[0]!}: No such file or directory\n`);
  }),
  command('resume', '', [1, 1], 'tag', 'goes on with what stopped there', async (shell, { operands }) => {
    if (faultOf(shell).resume(operands[0]!)) return true;
    throw new IoMistake(`Could not resume request: No such file or directory\n`);
  }),
  command(
    'wait_break',
    '',
    [1, 1],
    'tag',
    'waits until something has stopped there',
    async (shell, { operands }) => {
      const fault = faultOf(shell);
      while (!fault.isStopped(operands[0]!)) await new Promise((resolve) => setTimeout(resolve, 1));
      return true;
    },
  ),
  command(
    'sleep',
    '',
    [1, 1],
    'ms',
    'waits for the given value in milliseconds',
    async (_shell, { operands }) => {
      await new Promise((resolve) => setTimeout(resolve, numberArgument(operands[0]!)));
      return true;
    },
    false,
  ),
  command(
    'open o',
    'CrsnkUmt:d:i:o:',
    [0, 1],
    '[-rs] [-o options] [path]',
    'open the file specified by path',
    async (shell, { flags, values, operands }) => {
      if (shell.image !== undefined) throw new IoMistake("file open already, try 'help close'\n");
      const given = values.get('o');
      const [path] = operands;
      if (given === undefined && path === undefined) throw new IoMistake('open: no path given\n');
      const reference = {
        text: path ?? given!,
        readOnly: flags.has('r'),
        asOptions: path === undefined,
        ...(given === undefined || path === undefined ? {} : { options: given }),
        snapshot: flags.has('s'),
      };
      shell.image = await shell.opener.open(reference.text, reference);
      shell.reference = reference;
      return true;
    },
    false,
  ),
  command('close c', '', [0, 0], '', 'close the current open file', async (shell) => {
    await shell.close();
    return true;
  }),
  command('reopen', 'rwo:c:', [0, 0], '[(-r|-w)]', 'reopens the file', async (shell, { flags }) => {
    const { reference } = shell;
    if (reference === undefined) return false;
    const next = { ...reference, readOnly: flags.has('r') || (reference.readOnly && !flags.has('w')) };
    await shell.close();
    shell.image = await shell.opener.open(next.text, next);
    shell.reference = next;
    return true;
  }),
  command(
    'sigraise',
    '',
    [1, 1],
    'signal',
    'raises a signal',
    async (_shell, { operands }) => {
      process.kill(process.pid, numberArgument(operands[0]!));
      // The signal ends this process; nothing is to happen before.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return true;
    },
    false,
  ),
  command(
    'abort',
    '',
    [0, 0],
    '',
    'ends the program as if it had crashed',
    async () => process.abort(),
    false,
  ),
  command(
    'quit q',
    '',
    [0, 0],
    '',
    'exit the program',
    async (shell) => {
      shell.quit = true;
      return true;
    },
    false,
  ),
  command(
    'help h ?',
    '',
    [0, 1],
    '[command]',
    'help for one or all commands',
    async (shell, { operands }) => {
      const [name] = operands;
      const wanted =
        name === undefined ? IO_COMMANDS : IO_COMMANDS.filter(({ names }) => names.includes(name));
      if (wanted.length === 0) throw new IoMistake(`command ${name ?? ''} not found\n`);
      for (const { names, usage, help } of wanted) {
        shell.print(`${names[0]}${usage === '' ? '' : ` ${usage}`} -- ${help}\n`);
      }
      return true;
    },
    false,
  ),
];
