import { PolyvisorError } from '@polyvisor/contracts';
import type { FormatNode } from '../graph/format-node.ts';
import {
  ALLOCATION_CONTEXT,
  ALLOCATION_DEPTH_CONTEXT,
  DIRTY_BITMAP_PREFIX,
  EXPORT_FLAG,
  MAX_PAYLOAD_BYTES,
  MAX_STRING_BYTES,
} from './nbd-protocol.ts';

/** A disk that a server offers, and how. */
export interface NbdExport {
  /** What clients ask for; empty: what they get without asking for a name. */
  readonly name: string;
  readonly description?: string;
  /** Stays its owner's to close, after the server. */
  readonly node: FormatNode;
  /** Also so if the node is. */
  readonly readOnly: boolean;
  /** Dirty bitmaps of the node that clients may ask about. */
  readonly bitmaps?: readonly string[];
  /** Clients may ask which image of a backing chain has the data. */
  readonly allocationDepth?: boolean;
  /** Told to clients: the disk has a head that moves. */
  readonly rotational?: boolean;
  /** Clients may change its size (RESIZE extension), if the node can. */
  readonly resizable?: boolean;
}

/** What block status can tell of. */
export type MetaContextKind =
  { readonly kind: 'allocation' | 'depth' } | { readonly kind: 'bitmap'; readonly bitmap: string };

/** A context that a client chose, and the number it has on that connection. */
export interface MetaContext {
  readonly id: number;
  readonly name: string;
  readonly of: MetaContextKind;
}

/** @throws PolyvisorError `invalid-argument`, `not-found` (a bitmap) */
export function checkExport({ name, description, node, bitmaps = [] }: NbdExport): void {
  const encoder = new TextEncoder();
  for (const text of [name, description ?? '']) {
    if (encoder.encode(text).length > MAX_STRING_BYTES || text.includes('\0')) {
      throw new PolyvisorError('invalid-argument', {
        what: 'export name or description is too long',
        which: text.slice(0, 32),
        limit: `${MAX_STRING_BYTES} bytes`,
      });
    }
  }
  for (const bitmap of bitmaps) {
    const found = node.bitmaps?.list().find((each) => each.name === bitmap);
    if (found === undefined || found.inconsistent) {
      throw new PolyvisorError(found === undefined ? 'not-found' : 'precondition', {
        what: found === undefined ? 'no such bitmap' : 'bitmap is inconsistent',
        which: `${node.name}: ${bitmap}`,
      });
    }
  }
}

/** Contexts of an export by name. */
export function contextsOf({
  bitmaps = [],
  allocationDepth,
}: NbdExport): ReadonlyMap<string, MetaContextKind> {
  return new Map<string, MetaContextKind>([
    [ALLOCATION_CONTEXT, { kind: 'allocation' }],
    ...(allocationDepth === true ? [[ALLOCATION_DEPTH_CONTEXT, { kind: 'depth' }] as const] : []),
    ...bitmaps.map((bitmap) => [DIRTY_BITMAP_PREFIX + bitmap, { kind: 'bitmap', bitmap }] as const),
  ]);
}

/**
 * Names that a query of a client means.
 * @param list wildcards count: `base:`, `qemu:`, `qemu:dirty-bitmap:`.
 */
export function matchContexts(names: Iterable<string>, query: string, list: boolean): readonly string[] {
  const wildcard = list && query.endsWith(':');
  return [...names].filter((name) => name === query || (wildcard && name.startsWith(query)));
}

/** Transmission flags of an export. */
export function exportFlags(entry: NbdExport, structured: boolean): number {
  const readOnly = entry.readOnly || entry.node.readOnly;
  let flags: number =
    EXPORT_FLAG.hasFlags |
    EXPORT_FLAG.sendFlush |
    EXPORT_FLAG.sendFua |
    EXPORT_FLAG.sendCache |
    // All clients share one node, and with it what is cached.
    EXPORT_FLAG.multiConnection;
  if (readOnly) flags |= EXPORT_FLAG.readOnly;
  else flags |= EXPORT_FLAG.sendTrim | EXPORT_FLAG.sendWriteZeroes | EXPORT_FLAG.sendFastZero;
  if (structured) flags |= EXPORT_FLAG.sendDontFragment;
  if (entry.rotational === true) flags |= EXPORT_FLAG.rotational;
  if (isResizable(entry)) flags |= EXPORT_FLAG.sendResize;
  return flags;
}

export function isResizable({ resizable, readOnly, node }: NbdExport): boolean {
  return resizable === true && !readOnly && !node.readOnly && node.resize !== undefined;
}

/** Block sizes of an export, in bytes: powers of two within what the protocol allows. */
export function blockSizesOf({ node }: NbdExport): {
  readonly minimum: number;
  readonly preferred: number;
  readonly maximum: number;
} {
  const minimum = Math.min(65536, node.limits.alignment);
  const preferred = Math.min(MAX_PAYLOAD_BYTES, Math.max(4096, minimum, node.limits.preferred));
  return { minimum, preferred, maximum: MAX_PAYLOAD_BYTES };
}
