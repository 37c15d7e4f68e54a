import { chainOf, describeImage } from '@polyvisor/block';
import type { ImageInfo, Json } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler, OptionValues } from '../../cli/command-spec.ts';
import { formatSize } from '../../img/format-size.ts';
import { formatSnapshots } from '../../img/format-snapshots.ts';
import { environmentOf, lastText, openNamed, openingOf, withImage } from '../../img/image-access.ts';
import { formatQemuJson, qemuEntries } from '../../img/qemu-json.ts';

/** `polyvisor img info`. */
export const imgInfo: CommandHandler = async ({ options, operands }) => {
  const json = wantsJson(options);
  const chain = options['backing-chain'] === true;
  const opening = openingOf(options, { purpose: 'info', backing: chain });
  const infos = await withImage(openNamed(operands[0]!, options, environmentOf(options), opening), (node) =>
    Promise.all(chainOf(node).map(describeImage)),
  );
  if (json) process.stdout.write(`${formatQemuJson(chain ? infos : infos[0]!)}\n`);
  else process.stdout.write(infos.map(formatInfo).join('\n'));
  return 0;
};

/** Whether `--output json` was given. @throws PolyvisorError `invalid-argument` */
export function wantsJson(options: OptionValues): boolean {
  const output = lastText(options, 'output');
  if (output === undefined || output === 'human') return false;
  if (output === 'json') return true;
  throw new PolyvisorError('invalid-argument', {
    what: '--output must be used with human or json as argument.',
  });
}

/** Facts about an image for people, lines with their ends. */
export function formatInfo(info: ImageInfo): string {
  const size = Number(info['virtual-size']);
  const lines = [
    `image: ${String(info['filename'])}`,
    `file format: ${String(info['format'])}`,
    `virtual size: ${formatSize(size)} (${size} bytes)`,
    `disk size: ${info['actual-size'] === undefined ? 'unavailable' : formatSize(Number(info['actual-size']))}`,
  ];
  if (info['encrypted'] === true) lines.push('encrypted: yes');
  if (info['cluster-size'] !== undefined) lines.push(`cluster_size: ${Number(info['cluster-size'])}`);
  if (info['dirty-flag'] === true) lines.push('cleanly shut down: no');
  const backing = info['backing-filename'];
  if (backing !== undefined) {
    const full = info['full-backing-filename'];
    lines.push(
      `backing file: ${String(backing)}${full === backing ? '' : ` (actual path: ${String(full)})`}`,
    );
  }
  if (info['backing-filename-format'] !== undefined) {
    lines.push(`backing file format: ${String(info['backing-filename-format'])}`);
  }
  const snapshots = info['snapshots'];
  let text = `${lines.join('\n')}\n`;
  if (Array.isArray(snapshots)) {
    const rows = (snapshots as readonly { readonly [name: string]: Json }[]).map((each) => ({
      id: String(each['id']),
      name: String(each['name']),
      vmStateBytes: Number(each['vm-state-size']),
      seconds: Number(each['date-sec']),
      vmClockNs:
        BigInt(Number(each['vm-clock-sec'])) * 1_000_000_000n + BigInt(Number(each['vm-clock-nsec'])),
      icount: each['icount'] === undefined ? undefined : BigInt(Number(each['icount'])),
    }));
    text += `Snapshot list:\n${formatSnapshots(rows)}`;
  }
  const specific = info['format-specific'] as { readonly data: Json } | undefined;
  if (specific !== undefined) text += `Format specific information:\n${formatTree(specific.data, 1)}`;
  return text;
}

function formatTree(value: Json, depth: number): string {
  const pad = '    '.repeat(depth);
  if (Array.isArray(value)) {
    return value.map((each: Json, index) => `${pad}[${index}]:${leafOrTree(each, depth)}`).join('');
  }
  return qemuEntries(value as { readonly [name: string]: Json })
    .map(([name, member]) => `${pad}${name.replaceAll('-', ' ')}:${leafOrTree(member, depth)}`)
    .join('');
}

function leafOrTree(value: Json, depth: number): string {
  if (typeof value === 'object' && value !== null) return `\n${formatTree(value, depth + 1)}`;
  return ` ${String(value)}\n`;
}
