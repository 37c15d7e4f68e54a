import { PolyvisorError } from '@polyvisor/contracts';
import type { Attached, AttachResponse } from '@polyvisor/proto/service/block';
import type { BlockClientStream } from '../block-stream.ts';
import { BLOCK_PROTOCOL_VERSION } from '../protocol.ts';

/** What an attachment tells its disk. */
export interface AttachHandlers {
  attached(attached: Attached): void;
  receive(message: AttachResponse['message']): void;
  /** Something came, whatever it was. */
  heard(): void;
}

/**
 * Attaches over a new stream. Resolves with the reason once it has ended.
 */
export async function attachStream(
  stream: BlockClientStream,
  attach: { readonly capability: Uint8Array; readonly epoch: number; readonly sharedPool: boolean },
  handlers: AttachHandlers,
): Promise<PolyvisorError> {
  let greeted = false;
  stream.onMessage(({ message }) => {
    handlers.heard();
    if (message.case === 'attached' && !greeted) {
      greeted = true;
      handlers.attached(message.value);
    } else if (message.case !== 'ping') {
      if (greeted) handlers.receive(message);
      else stream.close(new PolyvisorError('corrupt', { what: 'a block host answered out of order' }));
    }
  });
  stream.send({ message: { case: 'attach', value: { version: BLOCK_PROTOCOL_VERSION, ...attach } } });
  const reason = await stream.closed;
  if (reason instanceof PolyvisorError) return reason;
  return new PolyvisorError('unavailable', {
    what: 'a block host went away',
    ...(reason === undefined ? {} : { limit: reason.message, cause: reason }),
  });
}
