import { PolyvisorError } from '@polyvisor/contracts';
import type { Logger } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import type { ImageIdentity } from './sparse-node.ts';

/** What a node is known by to images based on it; undefined: its format has no such thing. */
export function identityOf(node: BlockNode | undefined): ImageIdentity | undefined {
  return (node as { readonly identity?: ImageIdentity } | undefined)?.identity;
}

/**
 * Compares the parent that was opened with the one an image was made for.
 * @throws PolyvisorError `invalid-argument`: another image; with `strict` also the same one, changed since.
 */
export function checkParent(
  name: string,
  parent: BlockNode,
  expected: ImageIdentity,
  options: { readonly strict: boolean; readonly logger: Logger },
): void {
  const found = identityOf(parent);
  if (found === undefined) return;
  if (found.id !== expected.id) {
    throw new PolyvisorError('invalid-argument', {
      what: 'parent is another image than this one was made for',
      which: name,
      limit: `${parent.name} is ${found.id}, not ${expected.id}`,
    });
  }
  if (found.version === expected.version) return;
  if (options.strict) {
    throw new PolyvisorError('invalid-argument', {
      what: 'parent was changed since this image was made',
      which: name,
      limit: `${parent.name} is at ${found.version}, not ${expected.version}`,
      hint: 'if its contents are right nevertheless, rebase without copying',
    });
  }
  options.logger.warn(
    { path: name, parent: parent.name },
    'parent image was changed since this image was made',
  );
}

/** Stands for a parent that nobody could name: opening succeeds, so that it can be named, reading doesn't. */
export class MissingNode implements BlockNode {
  readonly driver = 'missing';
  readonly readOnly = true;
  readonly limits = {
    alignment: 1,
    preferred: 4096,
    discardGranule: 4096,
    maxTransfer: Number.MAX_SAFE_INTEGER,
  };
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  readonly name: string;
  readonly size: number;

  /** @param name what the parent is known by. @param size bytes. */
  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
  }

  #error(): PolyvisorError {
    return new PolyvisorError('not-found', {
      what: 'parent image is not known',
      which: this.name,
      hint: 'name it: backing.file.filename=PATH',
    });
  }

  read(): Promise<void> {
    return Promise.reject(this.#error());
  }

  write(): Promise<void> {
    return Promise.reject(this.#error());
  }

  writeZeroes(): Promise<void> {
    return Promise.reject(this.#error());
  }

  discard(): Promise<void> {
    return Promise.reject(this.#error());
  }

  async flush(options?: { readonly signal?: AbortSignal }): Promise<void> {
    checkCancelled(options?.signal);
  }

  map(): Promise<never> {
    return Promise.reject(this.#error());
  }

  async close(): Promise<void> {}
}
