import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../graph/driver.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { MissingNode, checkParent, identityOf } from '../sparse/parent-identity.ts';
import { SparseNode } from '../sparse/sparse-node.ts';
import type { SparseFormat } from '../sparse/sparse-node.ts';
import { formatGuid } from '../sparse/uuid.ts';
import { checkVhdx } from './check-vhdx.ts';
import { OverlayFile } from './overlay-file.ts';
import { probeVhdx } from './probe-vhdx.ts';
import { readLog, replayLog } from './replay-log.ts';
import { VhdxHeaders } from './vhdx-header.ts';
import { VhdxMap } from './vhdx-map.ts';
import { encodeMetadata, readMetadata } from './vhdx-metadata.ts';
import type { ReadVhdxMetadata, VhdxMetadata } from './vhdx-metadata.ts';
import { readRegions } from './vhdx-regions.ts';

/** VHDX images have no name of their own but their contents': the part of an identity that never differs. */
export const VHDX_ID = 'vhdx';

/**
 * Opens a VHDX image: dynamic, fixed or differencing. The log of an image that was not closed is replayed, into the
 * file or, read-only, into what is read.
 * @throws PolyvisorError `corrupt`, `unsupported`; `invalid-argument`: the parent is another one or was changed.
 */
export async function openVhdx(
  file: BlockNode,
  options: FormatOpenOptions,
  context: OpenContext,
): Promise<SparseNode> {
  const { readOnly } = options;
  const signature = new Uint8Array(8);
  await file.read(0, signature);
  if (probeVhdx(signature) === 0) throw corrupt(file.name, 'not a VHDX image');
  const headers = await VhdxHeaders.read(file);
  const replay = await readLog(file, headers.current);
  let image = file;
  if (replay !== undefined) {
    if (readOnly) image = new OverlayFile(file, replay);
    else await replayLog(file, headers, replay);
  }
  const { logOffset: offset, logLength: length } = headers.current;
  const regions = await readRegions(image, { offset, length });
  const metadata = await readMetadata(image, regions.metadata);
  const map = new VhdxMap({ file: image, readOnly, headers, regions, metadata });
  const backing = metadata.hasParent ? await openParent(metadata, options, context) : undefined;
  const identity = (): { id: string; version: string } => ({
    id: VHDX_ID,
    version: formatGuid(headers.current.dataWriteGuid),
  });
  const format: SparseFormat = {
    describe: () => ({ clusterSize: metadata.blockSize, dirty: replay !== undefined && readOnly }),
    get identity() {
      return identity();
    },
    checking: { check: (repair, work) => checkVhdx(image, headers, map, repair, work) },
    ...(metadata.hasParent ? { backing: backingOf(map, metadata) } : {}),
  };
  return new SparseNode({
    driver: 'vhdx',
    name: file.name,
    size: metadata.size,
    readOnly,
    file: image,
    map,
    format,
    backing,
  });
}

/** The parent's name, as a path here: the relative path before an absolute one's last part. */
export function parentNameOf({ parent }: VhdxMetadata): string | undefined {
  const relative = parent.get('relative_path');
  if (relative !== undefined) return relative.replaceAll('\\', '/').replace(/^\.\//, '');
  const absolute = parent.get('absolute_win32_path') ?? parent.get('volume_path');
  if (absolute?.startsWith('/') === true) return absolute;
  const name = absolute?.split(/[\\/]/).at(-1);
  return name === '' ? undefined : name;
}

async function openParent(
  metadata: VhdxMetadata,
  { purpose }: FormatOpenOptions,
  context: OpenContext,
): Promise<BlockNode | undefined> {
  const name = parentNameOf(metadata);
  const linkage = linkagesOf(metadata);
  const node = await context.openBacking(name, 'vhdx');
  if (node === undefined)
    return name === undefined ? new MissingNode(linkage.join(' or '), metadata.size) : undefined;
  const found = identityOf(node);
  if (found === undefined || linkage.includes(found.version)) return node;
  try {
    const strict = purpose === undefined || purpose === 'io';
    checkParent(
      context.name,
      node,
      { id: VHDX_ID, version: linkage[0] ?? '' },
      { strict, logger: context.logger },
    );
  } catch (error) {
    await node.close();
    throw error;
  }
  return node;
}

/** Data write GUIDs that the parent may have. */
function linkagesOf({ parent }: VhdxMetadata): readonly string[] {
  return ['parent_linkage', 'parent_linkage2'].flatMap((key) => {
    const value = parent.get(key);
    return value === undefined ? [] : [value.replace(/[{}]/g, '').toLowerCase()];
  });
}

/** Keys of the locator for a parent. */
export function parentEntries(reference: string, version: string): Map<string, string> {
  return new Map([
    ['parent_linkage', `{${version.toUpperCase()}}`],
    reference.startsWith('/')
      ? ['absolute_win32_path', reference]
      : ['relative_path', `.\\${reference.replaceAll('/', '\\')}`],
  ]);
}

function backingOf(map: VhdxMap, read: ReadVhdxMetadata): NonNullable<SparseFormat['backing']> {
  let metadata = read;
  return {
    names() {
      const reference = parentNameOf(metadata);
      return { reference, format: reference === undefined ? undefined : 'vhdx' };
    },
    async setNames({ reference, format }, node) {
      if (reference === undefined || (format !== undefined && format !== 'vhdx')) {
        throw new PolyvisorError('unsupported', {
          what: 'a differencing VHDX needs a VHDX as its parent',
          which: map.name,
        });
      }
      const version = identityOf(node)?.version ?? linkagesOf(metadata)[0] ?? '';
      metadata = { ...metadata, parent: parentEntries(reference, version) };
      await map.writeMetadata(encodeMetadata(metadata));
    },
  };
}
