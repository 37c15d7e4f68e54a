import type { AnyServiceMethod, ServiceMethods } from '@polyvisor/proto';
import type { Identity } from './identity.ts';
import type { MessageStream } from './message-stream.ts';

/** What a method takes, as a caller may write it. */
export type RequestInput<M extends AnyServiceMethod> = Parameters<M['requestSerialize']>[0];
/** What a method takes, as a server gets it. */
export type Request<M extends AnyServiceMethod> = ReturnType<M['requestDeserialize']>;
/** What a method gives, as a server may write it. */
export type ResponseInput<M extends AnyServiceMethod> = Parameters<M['responseSerialize']>[0];
/** What a method gives, as a caller gets it. */
export type Response<M extends AnyServiceMethod> = ReturnType<M['responseDeserialize']>;

/** What a handler knows of a call besides its messages. */
export interface CallContext {
  readonly identity: Identity;
  /** Address of the peer, for logs. */
  readonly peer: string;
  /** Aborted when the caller has given up, or its deadline has passed. */
  readonly signal: AbortSignal;
  /**
   * Checks that the caller may act for a VM.
   * @throws PolyvisorError `permission`.
   */
  requireVm(vm: string): void;
}

/** The stream as a server has it: it sends responses and gets requests. */
export type ServerStream<M extends AnyServiceMethod> = MessageStream<ResponseInput<M>, Request<M>>;

/**
 * What a server does for a method; whatever it throws becomes the call's status.
 * - one request, one response: gives the response;
 * - a stream of requests, one response: gives the response; the stream's `closed` tells when all requests are there;
 * - a stream of responses: the stream ends when the promise resolves; a handler without promise closes it itself, or
 *   the caller does.
 */
export type Handler<M extends AnyServiceMethod> = M['responseStream'] extends true
  ? M['requestStream'] extends true
    ? (stream: ServerStream<M>, context: CallContext) => void | Promise<void>
    : (request: Request<M>, stream: ServerStream<M>, context: CallContext) => void | Promise<void>
  : M['requestStream'] extends true
    ? (stream: ServerStream<M>, context: CallContext) => Promise<ResponseInput<M>>
    : (request: Request<M>, context: CallContext) => ResponseInput<M> | Promise<ResponseInput<M>>;

/** A handler for every method; the compiler misses none. */
export type Handlers<S extends ServiceMethods> = { readonly [K in keyof S]: Handler<S[K]> };

/** A service with its handlers, whatever it is; made by {@link serve}. */
export interface ServedService {
  readonly methods: readonly ServedMethod[];
}

export interface ServedMethod {
  readonly definition: AnyServiceMethod;
  readonly handler: Handler<AnyServiceMethod>;
}

/** Brings a service and its handlers together, for `createServer`. */
export function serve<S extends ServiceMethods>(service: S, handlers: Handlers<S>): ServedService {
  const methods = Object.entries(service).map(([name, definition]) => {
    const object = handlers as unknown as Record<string, (...parts: unknown[]) => unknown>;
    // Handlers may be methods of an object.
    const handler = (...parts: unknown[]): unknown => object[name]?.(...parts);
    return { definition, handler: handler as unknown as Handler<AnyServiceMethod> };
  });
  return { methods };
}
