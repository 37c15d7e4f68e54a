import type {
  AttachRequest,
  AttachRequestInput,
  AttachResponse,
  AttachResponseInput,
} from '@polyvisor/proto/service/block';
import type { MessageStream } from '../channel/message-stream.ts';

type Needed = 'send' | 'onMessage' | 'onDrain' | 'close' | 'closed';
type Flow = 'pause' | 'resume';

/** A stream to a block host: `() => connection.call.attach()` of the channel makes one, or a pipe in one process. */
export type BlockClientStream = Pick<MessageStream<AttachRequestInput, AttachResponse>, Needed>;

/** A stream to a device host; one that can't be paused must be of a peer that is trusted. */
export type BlockServerStream = Pick<MessageStream<AttachResponseInput, AttachRequest>, Needed> &
  Partial<Pick<MessageStream<AttachResponseInput, AttachRequest>, Flow>>;
