import type { BlockNode } from './block-node.ts';

const SECTOR_BYTES = 512;

/** A disk as a device model wants it: `BlockBackend` of `@polyvisor/virtio`, which says more. */
export interface BlockBackend {
  /** A multiple of 512. */
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly id: string;
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
  flush(): Promise<void>;
  discard(offset: number, length: number): Promise<void>;
  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Makes a device's disk of a node, which then belongs to it. A last part of a sector is left out. */
export function toBlockBackend(node: BlockNode, options: { readonly id?: string } = {}): BlockBackend {
  return {
    get sizeBytes() {
      return node.size - (node.size % SECTOR_BYTES);
    },
    readOnly: node.readOnly,
    id: options.id ?? '',
    read: (offset, target) => node.read(offset, target),
    write: (offset, source) => node.write(offset, source),
    flush: () => node.flush(),
    discard: (offset, length) => node.discard(offset, length),
    writeZeroes: (offset, length, mayUnmap) => node.writeZeroes(offset, length, { mayUnmap }),
    close: () => node.close(),
  };
}
