import { PolyvisorError } from '@polyvisor/contracts';

/**
 * The check that every node does once at its border.
 * @throws PolyvisorError `invalid-argument`: not whole, negative or beyond the node's end; call it where a throw rejects.
 */
export function checkRange(
  node: { readonly name: string; readonly size: number },
  offset: number,
  length: number,
): void {
  if (Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0) {
    if (offset + length <= node.size) return;
  }
  throw new PolyvisorError('invalid-argument', {
    what: 'range lies outside the disk',
    which: node.name,
    limit: `${length} bytes at ${offset} of ${node.size}`,
  });
}

/** @throws PolyvisorError `permission`: the node was opened read-only. */
export function checkWritable(node: { readonly name: string; readonly readOnly: boolean }): void {
  if (!node.readOnly) return;
  throw new PolyvisorError('permission', { what: 'disk is read-only', which: node.name });
}

/** @throws PolyvisorError `cancelled` once the signal was given. */
export function checkCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelledError(signal);
}

/** What an operation rejects with that its {@link AbortSignal} ended. */
export function cancelledError(signal?: AbortSignal): PolyvisorError {
  return new PolyvisorError('cancelled', {
    what: 'operation was cancelled',
    cause: signal?.reason as unknown,
  });
}
