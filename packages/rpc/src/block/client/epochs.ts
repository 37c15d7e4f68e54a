import { PolyvisorError } from '@polyvisor/contracts';

const ATTACH_BITS = 16;
const LIMIT = (1 << ATTACH_BITS) - 1;

/**
 * Epochs for the attachments of one process: greater with each call, and below all of a later generation. A process
 * that was stopped and wakes up can't take a volume back from the one that replaced it, however often it tries.
 * @param generation how many processes there were before it for this VM, from 0 to 65535: the supervisor's count.
 */
export function createEpochs(generation: number): () => number {
  if (!Number.isSafeInteger(generation) || generation < 0 || generation > LIMIT) {
    throw new PolyvisorError('invalid-argument', {
      what: 'no generation of a process',
      which: String(generation),
    });
  }
  let attachments = 0;
  return () => {
    if (attachments === LIMIT)
      throw new PolyvisorError('limit', { what: 'too many attachments of one process' });
    attachments++;
    return ((generation << ATTACH_BITS) | attachments) >>> 0;
  };
}
