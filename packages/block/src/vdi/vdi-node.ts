import { PolyvisorError } from '@polyvisor/contracts';
import { checkWritable } from '../graph/check-range.ts';
import type { OptionValue } from '../graph/format-node.ts';
import { SparseNode } from '../sparse/sparse-node.ts';
import type { SparseNodeParts } from '../sparse/sparse-node.ts';
import { parseGuid, randomUuid } from '../sparse/uuid.ts';
import { encodeComment } from './vdi-header.ts';
import type { VdiHeader } from './vdi-header.ts';
import type { VdiMap } from './vdi-map.ts';

/** A VDI image. */
export class VdiNode extends SparseNode {
  readonly #map: VdiMap;

  constructor(parts: SparseNodeParts, map: VdiMap) {
    super(parts);
    this.#map = map;
  }

  /** `uuid` (`random` or a UUID) and `comment`; durable when it resolves. */
  async amend(values: Readonly<Record<string, OptionValue>>): Promise<void> {
    checkWritable(this);
    const { uuid, comment } = values;
    const change: { -readonly [field in keyof VdiHeader]?: VdiHeader[field] } = {};
    if (typeof uuid === 'string') change.id = uuidOf(uuid);
    if (typeof comment === 'string') {
      encodeComment(comment);
      change.comment = comment;
    }
    await this.#map.changeHeader(change);
    await this.flush();
  }
}

/** The bytes of a UUID as VDI has them. @throws PolyvisorError `invalid-argument` */
export function uuidOf(text: string): Uint8Array {
  const bytes = text === 'random' ? randomUuid() : parseGuid(text);
  if (bytes !== undefined) return bytes;
  throw new PolyvisorError('invalid-argument', { what: 'not a UUID', which: text });
}
