import { PolyvisorError } from '@polyvisor/contracts';
import type { ErrorCode } from '@polyvisor/contracts';
import type { NodeStore } from '../state/node-store.ts';

/** How long an answer is remembered. */
const KEPT_MS = 3_600_000;
const ID_LIMIT = 128;
/** Events that are kept. */
const EVENTS_LEFT = 10_000;

/** Turns a response into bytes and back. */
export interface AnswerCodec<Response, ResponseInput> {
  readonly responseSerialize: (message: ResponseInput) => Uint8Array;
  readonly responseDeserialize: (bytes: Buffer) => Response;
  readonly path: string;
}

/** Answers a request that comes twice as it was answered the first time. */
export interface Answers {
  /**
   * Does the work, unless a request of this id was answered within an hour, or is being answered. An empty id is no id.
   * @throws PolyvisorError what the work throws, or threw; `invalid-argument` for an id of another method.
   */
  once<Response, ResponseInput>(
    id: string,
    method: AnswerCodec<Response, ResponseInput>,
    work: () => Promise<ResponseInput>,
  ): Promise<ResponseInput>;
}

/** Failures of the moment: the same request may succeed the next time, and changed nothing. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['unavailable', 'busy', 'cancelled', 'internal']);

export function createAnswers(store: NodeStore, now: () => number = Date.now): Answers {
  const underWay = new Map<string, Promise<unknown>>();
  store.trim(now() - KEPT_MS, EVENTS_LEFT);
  return {
    // Whatever goes wrong, the promise tells.
    async once(id, method, work) {
      if (id === '') return work();
      if (id.length > ID_LIMIT) {
        const limit = `${id.length} characters, at most ${ID_LIMIT}`;
        throw new PolyvisorError('invalid-argument', { what: 'request_id is too long', limit });
      }
      const key = `${method.path} ${id}`;
      type Result = Awaited<ReturnType<typeof work>>;
      const running = underWay.get(key);
      if (running !== undefined) return running as Promise<Result>;
      const before = store.answer(id);
      if (before !== undefined) {
        if (before.method !== method.path) {
          throw new PolyvisorError('invalid-argument', {
            what: 'request_id was used for another method',
            which: id,
            limit: before.method,
          });
        }
        if (before.kind === 'error')
          throw new PolyvisorError(before.code as ErrorCode, { what: before.message });
        return method.responseDeserialize(Buffer.from(before.response)) as unknown as Result;
      }
      const done = work().then(
        (response) => {
          const bytes = method.responseSerialize(response);
          store.setAnswer(id, { kind: 'response', method: method.path, response: bytes }, now());
          return response;
        },
        (error: unknown) => {
          if (error instanceof PolyvisorError && !passing.has(error.code)) {
            const { code, message } = error;
            store.setAnswer(id, { kind: 'error', method: method.path, code, message }, now());
          }
          throw error;
        },
      );
      const settled = done.finally(() => underWay.delete(key));
      underWay.set(key, settled);
      return settled;
    },
  };
}
