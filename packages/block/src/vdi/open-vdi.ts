import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../graph/driver.ts';
import { MissingNode, checkParent, identityOf } from '../sparse/parent-identity.ts';
import type { BackingNames, SparseNode } from '../sparse/sparse-node.ts';
import { formatGuid, parseGuid } from '../sparse/uuid.ts';
import { checkVdi } from './check-vdi.ts';
import { HEADER_BYTES, VDI_TYPE, parseVdiHeader } from './vdi-header.ts';
import type { VdiHeader } from './vdi-header.ts';
import { VdiMap } from './vdi-map.ts';
import { VdiNode } from './vdi-node.ts';

const SECTOR_BYTES = 512;
/** How a differencing image's comment names its parent: VDI itself knows only the parent's UUID. */
const PARENT_COMMENT = /^parent=(.+)$/m;

/** The comment of a differencing image. */
export function parentComment(reference: string | undefined): string {
  return reference === undefined ? '' : `parent=${reference}`;
}

/**
 * Opens a VDI image: dynamic, fixed or differencing. The parent is the one the user names, or the one the comment
 * names (`parent=FILE`, as images made here have it); reads that need an unnamed one reject with `not-found`.
 * @throws PolyvisorError `corrupt`, `unsupported`; `invalid-argument`: the parent is another image.
 */
export async function openVdi(
  file: BlockNode,
  options: FormatOpenOptions,
  context: OpenContext,
): Promise<VdiNode> {
  const sector = new Uint8Array(HEADER_BYTES);
  await file.read(0, sector);
  const header = parseVdiHeader(sector, file.name, file.size);
  const map = new VdiMap(file, header);
  const backing = header.type === VDI_TYPE.differencing ? await openParent(header, context) : undefined;
  const identity = (): { id: string; version: string } => ({
    id: formatGuid(map.header.id),
    version: formatGuid(map.header.modification),
  });
  const checking = {
    check: (...[repair, work]: Parameters<NonNullable<SparseNode['checking']>['check']>) =>
      checkVdi(file, map, repair, work),
  };
  return new VdiNode(
    {
      driver: 'vdi',
      name: file.name,
      size: Math.ceil(header.diskSize / SECTOR_BYTES) * SECTOR_BYTES,
      readOnly: options.readOnly,
      file,
      map,
      backing,
      format: {
        describe: () => ({ clusterSize: map.header.blockSize }),
        get identity() {
          return identity();
        },
        checking,
        ...(header.type === VDI_TYPE.fixed
          ? {}
          : {
              backing: {
                names: () => parentNames(map.header),
                setNames: (names: BackingNames, node: BlockNode | undefined) =>
                  setParent(file, map, names, node),
              },
            }),
      },
    },
    map,
  );
}

async function openParent(header: VdiHeader, context: OpenContext): Promise<BlockNode> {
  const { reference, format } = parentNames(header);
  const id = formatGuid(header.parentId);
  const node = await context.openBacking(reference, format);
  if (node === undefined) return new MissingNode(`UUID ${id}`, header.diskSize);
  try {
    checkParent(
      context.name,
      node,
      { id, version: formatGuid(header.parentModification) },
      { strict: false, logger: context.logger },
    );
  } catch (error) {
    await node.close();
    throw error;
  }
  return node;
}

function parentNames({ type, comment }: VdiHeader): BackingNames {
  if (type !== VDI_TYPE.differencing) return { reference: undefined, format: undefined };
  const reference = PARENT_COMMENT.exec(comment)?.[1];
  return { reference, format: reference === undefined ? undefined : 'vdi' };
}

async function setParent(
  file: BlockNode,
  map: VdiMap,
  { reference }: BackingNames,
  node: BlockNode | undefined,
): Promise<void> {
  const parent = identityOf(node);
  const none = new Uint8Array(16);
  await map.changeHeader(
    reference === undefined
      ? { type: VDI_TYPE.dynamic, comment: '', parentId: none, parentModification: none }
      : {
          type: VDI_TYPE.differencing,
          comment: parentComment(reference),
          ...(parent === undefined
            ? {}
            : {
                parentId: parseGuid(parent.id) ?? none,
                parentModification: parseGuid(parent.version) ?? none,
              }),
        },
  );
  await file.flush();
}
