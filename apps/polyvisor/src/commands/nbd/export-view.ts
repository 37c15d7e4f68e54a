import type { NbdExportInfo } from '@polyvisor/block';
import { EXPORT_FLAG, formatNbdUri, parseNbdUri } from '@polyvisor/block';
import { nbdConnectOptionsOf, nbdTargetOf, withNbdServer } from '@polyvisor/block/node';
import type { NbdDialogue } from '@polyvisor/block/node';
import type { OptionValues } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { formatSize } from '../../img/format-size.ts';

/** What an export can do, in the words of the output. */
const ABILITIES: Readonly<Record<string, number>> = {
  flush: EXPORT_FLAG.sendFlush,
  fua: EXPORT_FLAG.sendFua,
  trim: EXPORT_FLAG.sendTrim,
  'write-zeroes': EXPORT_FLAG.sendWriteZeroes,
  'fast-zero': EXPORT_FLAG.sendFastZero,
  'no-fragment': EXPORT_FLAG.sendDontFragment,
  'multi-connection': EXPORT_FLAG.multiConnection,
  cache: EXPORT_FLAG.sendCache,
  resize: EXPORT_FLAG.sendResize,
  rotational: EXPORT_FLAG.rotational,
};

/** An export as JSON says it. */
export function viewOf(info: NbdExportInfo, uri: string): { readonly [key: string]: unknown } {
  return {
    name: info.name,
    uri,
    ...(info.description === undefined ? {} : { description: info.description }),
    size: info.size,
    readOnly: (info.flags & EXPORT_FLAG.readOnly) !== 0,
    tls: info.secure,
    structuredReplies: info.structured,
    blockSize: {
      minimum: info.minimumBlock,
      preferred: info.preferredBlock,
      maximumPayload: info.maximumPayload,
    },
    can: Object.keys(ABILITIES).filter((ability) => (info.flags & ABILITIES[ability]!) !== 0),
    contexts: [...info.contexts.keys()],
  };
}

/** An export for people, lines with their ends. */
export function formatView(info: NbdExportInfo, uri: string): string {
  const view = viewOf(info, uri);
  const lines = [
    `export: ${JSON.stringify(info.name)}`,
    `uri: ${uri}`,
    ...(info.description === undefined ? [] : [`description: ${info.description}`]),
    `size: ${formatSize(info.size)} (${info.size} bytes)`,
    `read-only: ${view['readOnly'] === true ? 'yes' : 'no'}`,
    `TLS: ${info.secure ? 'yes' : 'no'}`,
    `structured replies: ${info.structured ? 'yes' : 'no'}`,
    `block size: at least ${info.minimumBlock}, best ${info.preferredBlock}, at most ${info.maximumPayload}`,
    `can: ${(view['can'] as readonly string[]).join(', ')}`,
    ...[...info.contexts.keys()].map((context) => `context: ${context}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Talks to the server that a URI of the command line names. */
export function withServerOf<T>(
  uri: string,
  options: OptionValues,
  body: (dialogue: NbdDialogue, exportName: string, uriOf: (exportName: string) => string) => Promise<T>,
): Promise<T> {
  const certificates = optionText(options, 'tls-certificates');
  const psk = optionText(options, 'tls-psk');
  const hostname = optionText(options, 'tls-hostname');
  const verify = options['tls-verify-peer'];
  parseNbdUri(uri);
  const target = nbdTargetOf(uri, {
    tls: certificates !== undefined || psk !== undefined,
    ...(certificates === undefined ? {} : { 'tls-certificates': certificates }),
    ...(psk === undefined ? {} : { 'tls-psk-file': psk }),
    ...(hostname === undefined ? {} : { 'tls-hostname': hostname }),
    ...(typeof verify === 'boolean' ? { 'tls-verify-peer': verify } : {}),
  });
  return withNbdServer(nbdConnectOptionsOf(target), undefined, (dialogue) =>
    body(dialogue, target.exportName, (exportName) => formatNbdUri({ ...target, exportName })),
  );
}
