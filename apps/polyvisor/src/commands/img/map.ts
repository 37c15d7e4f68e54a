import type { ChainExtent, FormatNode } from '@polyvisor/block';
import { blockStatus, chainOf } from '@polyvisor/block';
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
import { wantsJson } from './info.ts';

interface MapEntry extends ChainExtent {
  readonly start: number;
}

/** `polyvisor img map`. */
export const imgMap: CommandHandler = async ({ options, operands }) => {
  const json = wantsJson(options);
  const start = lastText(options, 'start-offset');
  const length = lastText(options, 'max-length');
  await withImage(
    openNamed(operands[0]!, options, environmentOf(options), openingOf(options)),
    async (node) => {
      const from = start === undefined ? 0 : sizeArgument(start, 'start offset');
      const end =
        length === undefined ? node.size : Math.min(node.size, from + sizeArgument(length, 'max length'));
      const print = json ? jsonPrinter() : humanPrinter(chainOf(node));
      let last: MapEntry | undefined;
      for (let at = from; at < end;) {
        const extent = await blockStatus(node, at, end - at, { shortIsHole: true });
        if (last !== undefined && continues(last, extent))
          last = { ...last, length: last.length + extent.length };
        else {
          if (last !== undefined) print(last);
          last = { ...extent, start: at };
        }
        at += extent.length;
      }
      if (last !== undefined) print(last);
      if (json) process.stdout.write(last === undefined ? '[]\n' : ']\n');
    },
  );
  return 0;
};

function continues(last: MapEntry, next: ChainExtent): boolean {
  return (
    last.zero === next.zero &&
    last.data === next.data &&
    last.allocated === next.allocated &&
    last.depth === next.depth &&
    last.compressed === next.compressed &&
    last.file === next.file &&
    (last.offset === undefined ? next.offset === undefined : next.offset === last.offset + last.length)
  );
}

function jsonPrinter(): (entry: MapEntry) => void {
  let lead = '[';
  return ({ start, length, depth, allocated, zero, data, offset }) => {
    const where = offset === undefined ? '' : `, "offset": ${offset}`;
    process.stdout.write(
      `${lead}{ "start": ${start}, "length": ${length}, "depth": ${depth}, "present": ${allocated}, "zero": ${zero}, "data": ${data}${where}}`,
    );
    process.stdout.write('');
    lead = ',\n';
  };
}

function humanPrinter(chain: readonly FormatNode[]): (entry: MapEntry) => void {
  const line = (...columns: readonly [string, string, string, string]): void =>
    void process.stdout.write(
      `${columns
        .slice(0, 3)
        .map((text) => text.padEnd(15))
        .join(' ')} ${columns[3]}\n`,
    );
  line('Offset', 'Length', 'Mapped to', 'File');
  const hex = (value: number): string => (value === 0 ? '0' : `0x${value.toString(16)}`);
  return ({ start, length, zero, data, offset, file, depth }) => {
    if (!data || zero) return;
    if (offset === undefined) {
      throw new PolyvisorError('unsupported', {
        what: 'File contains external, encrypted or compressed clusters.',
      });
    }
    line(hex(start), hex(length), hex(offset), file?.name ?? chain[depth]?.name ?? '');
  };
}
