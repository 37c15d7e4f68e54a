import type { ReplyBody, RequestBody } from '../codec/message-codec.ts';
import type { ReplyName, RequestName } from '../codec/messages.ts';
import type { Operation } from './session.ts';

/** Requests that the server itself answers, because they are about sessions and requests, not files. */
type OwnRequest = 'Tversion' | 'Tflush';
/** Requests that act on a session's files. */
export type FileRequest = Exclude<RequestName, OwnRequest>;
/** The reply that belongs to a request. */
export type ReplyOf<Name extends RequestName> = Name extends `T${infer Rest}`
  ? `R${Rest}` & ReplyName
  : never;

/** One function for each request; failures are errors with an `errno`. */
export type Handlers = {
  readonly [Name in FileRequest]: (
    operation: Operation,
    body: RequestBody<Name>,
  ) => Promise<ReplyBody<ReplyOf<Name>>>;
};
