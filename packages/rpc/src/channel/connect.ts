import { Client, Metadata, connectivityState, credentials as Credentials } from '@grpc/grpc-js';
import type {
  CallOptions as GrpcCallOptions,
  ChannelCredentials,
  ClientWritableStream,
  requestCallback,
} from '@grpc/grpc-js';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { AnyServiceMethod, ServiceMethods } from '@polyvisor/proto';
import { PolyvisorError } from '@polyvisor/contracts';
import { identityOfCertificate } from './certificate/certificate-identity.ts';
import type { Endpoint } from './endpoint.ts';
import { checkInsecure, formatEndpoint, parseEndpoint } from './endpoint.ts';
import { createClientStream } from './grpc-stream.ts';
import type { RequestInput, Response } from './handlers.ts';
import type { Role } from './identity.ts';
import { commonOptions } from './limits.ts';
import type { MessageStream } from './message-stream.ts';
import { errorOfServiceError } from './status.ts';
import { tokenKey } from './token-key.ts';

/** What a client may say of one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** From now on; undefined takes the connection's for single requests, and none for streams. */
  readonly deadlineMs?: number;
}

/** The stream as a client has it: it sends requests and gets responses. */
export type ClientStream<M extends AnyServiceMethod> = MessageStream<RequestInput<M>, Response<M>>;

/** A method as a client calls it; rejects with PolyvisorError. */
export type ClientMethod<M extends AnyServiceMethod> = M['requestStream'] extends true
  ? M['responseStream'] extends true
    ? (options?: CallOptions) => ClientStream<M>
    : (options?: CallOptions) => RequestStream<M>
  : M['responseStream'] extends true
    ? (request: RequestInput<M>, options?: CallOptions) => ClientStream<M>
    : (request: RequestInput<M>, options?: CallOptions) => Promise<Response<M>>;

/** Many requests with one response: `end()` after the last one, then `response`. */
export interface RequestStream<M extends AnyServiceMethod> extends MessageStream<
  RequestInput<M>,
  Response<M>
> {
  readonly response: Promise<Response<M>>;
}

/** Methods of a service as a client calls them. */
export type ServiceClient<S extends ServiceMethods> = { readonly [K in keyof S]: ClientMethod<S[K]> };

/** Files of mutual TLS, as PEM. */
export interface TlsFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface ConnectOptions {
  /** What this side shows: a token on one host, a certificate between hosts. */
  readonly identity?: {
    readonly token?: string;
    readonly tls?: TlsFiles;
    /** Roles that the other side may have, with TLS; undefined: any of the same domain. */
    readonly peer?: readonly Role[];
  };
  /** For single requests without one of their own. 30 s unless said. */
  readonly deadlineMs?: number;
  /** TCP without TLS, to a loopback address. */
  readonly insecure?: boolean;
}

/** A connection to a server; it is made when it is first used, and again when it breaks. */
export interface Connection<S extends ServiceMethods> {
  readonly call: ServiceClient<S>;
  /** Another service over the same connection. */
  service<T extends ServiceMethods>(service: T): ServiceClient<T>;
  /**
   * Waits until the server answers.
   * @throws PolyvisorError `unavailable` when it didn't in time.
   */
  ready(timeoutMs: number): Promise<void>;
  /** Calls under way fail with `cancelled`. Idempotent. */
  close(): void;
}

/**
 * Makes a connection to a service.
 * @param endpoint parsed, or as text.
 * @throws PolyvisorError `permission` for TCP without TLS, `invalid-argument` for an endpoint that can't be understood.
 */
export function connect<S extends ServiceMethods>(
  endpoint: Endpoint | string,
  service: S,
  options: ConnectOptions = {},
): Connection<S> {
  const where = typeof endpoint === 'string' ? parseEndpoint(endpoint) : endpoint;
  const name = formatEndpoint(where);
  const { token, tls, peer } = options.identity ?? {};
  const secure = tls !== undefined && where.kind === 'tcp';
  if (!secure) checkInsecure(where, options.insecure === true);
  const client = new Client(
    where.kind === 'unix' ? name : name.replace(/^tcp:/, 'dns:'),
    secure ? tlsCredentials(tls, peer) : Credentials.createInsecure(),
    {
      ...commonOptions,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.enable_http_proxy': 0,
      // A process that is started again is back within a second; the guest waits for it.
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 250,
      // An address can't be asked for by name, and who is there is checked by role.
      ...(where.kind === 'tcp' && isIP(where.host) !== 0
        ? { 'grpc.ssl_target_name_override': 'polyvisor' }
        : {}),
      ...(where.kind === 'unix' ? { 'grpc.default_authority': 'localhost' } : {}),
    },
  );
  const metadata = new Metadata();
  if (token !== undefined) metadata.set(tokenKey, token);
  const caller: Caller = { client, metadata, name, deadlineMs: options.deadlineMs ?? 30_000 };
  let closed = false;
  return {
    call: createServiceClient(caller, service),
    service: (other) => createServiceClient(caller, other),
    ready: (timeoutMs) =>
      new Promise((resolve, reject) => {
        client.waitForReady(Date.now() + timeoutMs, (error) => {
          if (error === undefined) resolve();
          else {
            const limit = `no answer within ${timeoutMs} ms`;
            reject(new PolyvisorError('unavailable', { what: "can't connect", which: name, limit }));
          }
        });
        client.getChannel().getConnectivityState(true);
      }),
    close: () => {
      if (closed) return;
      closed = true;
      if (client.getChannel().getConnectivityState(false) !== connectivityState.SHUTDOWN) client.close();
    },
  };
}

interface Caller {
  readonly client: Client;
  readonly metadata: Metadata;
  readonly name: string;
  readonly deadlineMs: number;
}

function createServiceClient<S extends ServiceMethods>(caller: Caller, service: S): ServiceClient<S> {
  const methods = Object.entries(service).map(([name, definition]) => [
    name,
    createMethod(caller, definition),
  ]);
  return Object.fromEntries(methods) as ServiceClient<S>;
}

/** gRPC's types say what one kind of call takes; here all four are made from the same parts. */
type Erased = (...parts: unknown[]) => unknown;

function createMethod(caller: Caller, definition: AnyServiceMethod): Erased {
  const { client, metadata } = caller;
  const { path, requestDeserialize: _server, responseDeserialize: deserialize } = definition;
  const serialize = definition.requestSerialize as (message: unknown) => Buffer;
  const which = `${path} at ${caller.name}`;
  const grpcOptions = (options: CallOptions | undefined, deadlineMs: number | undefined): GrpcCallOptions => {
    const limit = options?.deadlineMs ?? deadlineMs;
    return limit === undefined ? {} : { deadline: Date.now() + limit };
  };
  if (definition.requestStream && definition.responseStream) {
    return (options) => {
      const own = options as CallOptions | undefined;
      const call = client.makeBidiStreamRequest(
        path,
        serialize,
        deserialize,
        metadata.clone(),
        grpcOptions(own, undefined),
      );
      return createClientStream(call, which, own?.signal);
    };
  }
  if (definition.responseStream) {
    return (request, options) => {
      const own = options as CallOptions | undefined;
      const call = client.makeServerStreamRequest(
        path,
        serialize,
        deserialize,
        request,
        metadata.clone(),
        grpcOptions(own, undefined),
      );
      // It has no writable half, and nobody writes: the only request is on its way.
      const stream = Object.assign(call, { end: () => call, write: () => true });
      return createClientStream(
        stream as unknown as Parameters<typeof createClientStream>[0],
        which,
        own?.signal,
      );
    };
  }
  if (definition.requestStream) {
    return (options) => {
      const own = options as CallOptions | undefined;
      return createRequestStream(own, which, (done) =>
        client.makeClientStreamRequest(
          path,
          serialize,
          deserialize,
          metadata.clone(),
          grpcOptions(own, undefined),
          done,
        ),
      );
    };
  }
  return (request, options) => {
    const own = options as CallOptions | undefined;
    return new Promise((resolve, reject) => {
      if (own?.signal?.aborted === true) {
        reject(givenUp(which));
        return;
      }
      const abort = (): void => call.cancel();
      const call = client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        request,
        metadata.clone(),
        grpcOptions(own, caller.deadlineMs),
        (error, response) => {
          own?.signal?.removeEventListener('abort', abort);
          if (error === null) resolve(response);
          else reject(own?.signal?.aborted === true ? givenUp(which) : errorOfServiceError(error, which));
        },
      );
      own?.signal?.addEventListener('abort', abort, { once: true });
    });
  };
}

type WritableCall = ClientWritableStream<unknown>;

function createRequestStream(
  options: CallOptions | undefined,
  which: string,
  start: (done: requestCallback<unknown>) => WritableCall,
): RequestStream<AnyServiceMethod> {
  const { signal } = options ?? {};
  const response = Promise.withResolvers<unknown>();
  const closing = Promise.withResolvers<Error | undefined>();
  // Who doesn't look at the response learns it from `closed`.
  response.promise.catch(() => {});
  let over = false;
  let reason: Error | undefined;
  const call = start((error, value) => {
    over = true;
    signal?.removeEventListener('abort', abort);
    if (error === null) {
      response.resolve(value);
      closing.resolve(undefined);
    } else {
      const why = reason ?? errorOfServiceError(error, which);
      response.reject(why);
      closing.resolve(why);
    }
  });
  const close = (error?: Error): void => {
    if (over) return;
    over = true;
    reason = error ?? givenUp(which);
    call.cancel();
  };
  const abort = (): void => close(givenUp(which));
  call.on('error', () => {});
  if (signal?.aborted === true) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return {
    response: response.promise,
    send: (message) => !over && call.write(message),
    onMessage: (receive) => void response.promise.then(receive, () => {}),
    onDrain: (callback) => {
      call.on('drain', callback);
    },
    pause: () => {},
    resume: () => {},
    end: () => {
      if (!over && !call.writableEnded) call.end();
    },
    close,
    closed: closing.promise,
  };
}

function givenUp(which: string): PolyvisorError {
  return new PolyvisorError('cancelled', { what: 'the call was given up', which });
}

function tlsCredentials(tls: TlsFiles, peer: readonly Role[] | undefined): ChannelCredentials {
  const own = identityOfCertificate(tls.certificate);
  const context = createSecureContext({
    ca: tls.ca,
    cert: tls.certificate,
    key: tls.key,
    minVersion: 'TLSv1.3',
  });
  return Credentials.createFromSecureContext(context, {
    // Names of hosts say nothing here: the certificate says role and domain, and those are checked.
    checkServerIdentity: (_host, { raw }) => {
      try {
        const found = identityOfCertificate(raw);
        if (found.domain !== own.domain) return new Error(`the server is of domain ${found.domain}`);
        if (peer !== undefined && !peer.includes(found.role))
          return new Error(`the server is a ${found.role}`);
        return undefined;
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
      }
    },
  });
}
