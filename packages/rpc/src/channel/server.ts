import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
} from '@grpc/grpc-js';
import { PolyvisorError, silentLogger, silentMetrics } from '@polyvisor/contracts';
import type { Logger, Metrics } from '@polyvisor/contracts';
import type { AnyServiceMethod } from '@polyvisor/proto';
import type { ServerIdentity } from './authenticate.ts';
import { createAuthenticator } from './authenticate.ts';
import type { Endpoint } from './endpoint.ts';
import { formatEndpoint, parseEndpoint } from './endpoint.ts';
import { createServerStream } from './grpc-stream.ts';
import type { CallContext, Handler, ServedMethod, ServedService } from './handlers.ts';
import type { Health } from './health.ts';
import { createHealth } from './health.ts';
import { requireVm } from './identity.ts';
import { commonOptions, streamLimit } from './limits.ts';
import type { Listener } from './listener.ts';
import { listen } from './listener.ts';
import type { MessageStream } from './message-stream.ts';
import type { Permissions } from './permissions.ts';
import { checkPermission, permissions as allPermissions } from './permissions.ts';
import { createReflection } from './reflection.ts';
import { statusOfError } from './status.ts';

export interface ServerOptions {
  /** Parsed, or as text. */
  readonly listen: readonly (Endpoint | string)[];
  /** Made by `serve`. Health and reflection are served besides. */
  readonly services: readonly ServedService[];
  readonly identity: ServerIdentity;
  /** Who may call what: the one table unless said. */
  readonly permissions?: Permissions;
  /** Takes TCP without TLS, on loopback addresses. */
  readonly insecure?: boolean;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

export interface Server {
  /** Where it listens, with the ports that the system chose. */
  readonly endpoints: readonly Endpoint[];
  readonly health: Health;
  /** Takes no more calls, waits up to `graceMs` for those under way, and ends the rest. Idempotent. */
  close(graceMs?: number): Promise<void>;
}

/** Parts of gRPC's calls that all four kinds share. */
interface AnyCall extends Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getAuthContext' | 'getPeer'> {
  on(event: 'cancelled', listener: () => void): unknown;
}

/**
 * Starts a server of services.
 * @throws PolyvisorError see `listen`; nothing is left listening then.
 */
export async function createServer(options: ServerOptions): Promise<Server> {
  const logger = options.logger ?? silentLogger;
  const metrics = options.metrics ?? silentMetrics;
  const names = new Set(options.services.flatMap(({ methods }) => methods.map(serviceOf)));
  const health = createHealth(names);
  const services = [...options.services, health.service, ...createReflection(names)];
  const grpc = new GrpcServer({ ...commonOptions, 'grpc.max_concurrent_streams': streamLimit });
  const registrar = new Registrar(options, logger, metrics);
  for (const { methods } of services) for (const method of methods) registrar.register(grpc, method);
  const refused = metrics.counter({
    name: 'polyvisor_rpc_refused_connections_total',
    help: 'Connections that were refused or did not speak the protocol',
  });
  // Connections come from listeners of our own, which limit and log them; gRPC gets the sockets.
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const listeners: Listener[] = [];
  const stopListening = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  try {
    for (const endpoint of options.listen) {
      const parsed = typeof endpoint === 'string' ? parseEndpoint(endpoint) : endpoint;
      listeners.push(
        await listen(parsed, {
          tls: options.identity.tls,
          insecure: options.insecure === true,
          logger,
          refused,
          accept: (socket) => injector.injectConnection(socket),
        }),
      );
    }
  } catch (error) {
    await stopListening();
    grpc.forceShutdown();
    throw error;
  }
  const endpoints = listeners.map(({ endpoint }) => endpoint);
  logger.info({ endpoints: endpoints.map(formatEndpoint), services: [...names] }, 'serving');
  let closing: Promise<void> | undefined;
  const close = async (graceMs: number): Promise<void> => {
    health.set('', 'not-serving');
    for (const name of names) health.set(name, 'not-serving');
    await registrar.idle(graceMs);
    await stopListening();
    grpc.forceShutdown();
  };
  return { endpoints, health, close: (graceMs = 0) => (closing ??= close(graceMs)) };
}

function serviceOf({ definition }: ServedMethod): string {
  return definition.path.split('/')[1] ?? '';
}

/** Turns handlers into gRPC's: who calls, whether they may, errors, figures. */
class Registrar {
  readonly #authenticate: ReturnType<typeof createAuthenticator>;
  readonly #permissions: Permissions;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  #underWay = 0;
  #closing = false;
  #onIdle = (): void => {};

  constructor(options: ServerOptions, logger: Logger, metrics: Metrics) {
    this.#authenticate = createAuthenticator(options.identity);
    this.#permissions = options.permissions ?? allPermissions;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  /** Refuses new calls, and waits for those under way. */
  async idle(timeoutMs: number): Promise<void> {
    this.#closing = true;
    if (this.#underWay === 0 || timeoutMs === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  register(grpc: GrpcServer, { definition, handler }: ServedMethod): void {
    const { path, requestStream, responseStream } = definition;
    const labels = { method: path.slice(1) };
    const calls = this.#metrics.counter({ name: 'polyvisor_rpc_calls_total', help: 'Calls taken', labels });
    const failures = this.#metrics.counter({
      name: 'polyvisor_rpc_failures_total',
      help: 'Calls failed',
      labels,
    });
    const begin = (call: AnyCall): Running => {
      calls.add();
      this.#underWay += 1;
      let over = false;
      return {
        end: (error) => {
          if (over) return;
          over = true;
          this.#underWay -= 1;
          if (this.#underWay === 0) this.#onIdle();
          if (error === undefined) return;
          failures.add();
          this.#report(path, call, error);
        },
        context: () => this.#context(call, path),
      };
    };
    const type = requestStream
      ? responseStream
        ? 'bidi'
        : 'clientStream'
      : responseStream
        ? 'serverStream'
        : 'unary';
    const deserialize = (bytes: Buffer): unknown => {
      try {
        return definition.requestDeserialize(bytes);
      } catch (error) {
        failures.add();
        this.#logger.warn({ method: path, error: messageOf(error) }, 'a malformed message');
        throw error;
      }
    };
    grpc.register(
      path,
      adapters[type](handler, path, begin) as Parameters<GrpcServer['register']>[1],
      definition.responseSerialize as (message: unknown) => Buffer,
      deserialize,
      type,
    );
  }

  #context(call: AnyCall, path: string): CallContext {
    if (this.#closing) throw new PolyvisorError('unavailable', { what: 'the server is closing' });
    const identity = this.#authenticate(call);
    checkPermission(this.#permissions, path, identity);
    let abort: AbortController | undefined;
    return {
      identity,
      peer: call.getPeer(),
      // Most handlers never look at it.
      get signal() {
        if (abort === undefined) {
          const controller = new AbortController();
          call.on('cancelled', () => controller.abort());
          abort = controller;
        }
        return abort.signal;
      },
      requireVm: (vm) => requireVm(identity, vm),
    };
  }

  #report(path: string, call: AnyCall, error: Error): void {
    const fields = { method: path, peer: call.getPeer(), error: error.message };
    if (!(error instanceof PolyvisorError)) {
      this.#logger.error({ ...fields, stack: error.stack }, 'a call failed by a fault of ours');
    } else if (error.code === 'permission') this.#logger.warn(fields, 'a call is refused');
    else this.#logger.debug(fields, 'a call failed');
  }
}

/** One call. */
interface Running {
  /** Counts it as over, with what it failed with. */
  end(error: Error | undefined): void;
  /** Who calls. @throws PolyvisorError `permission`. */
  context(): CallContext;
}

type Begin = (call: AnyCall) => Running;
type AnyHandler = (...parts: readonly unknown[]) => unknown;

const adapters: Readonly<
  Record<
    'unary' | 'clientStream' | 'serverStream' | 'bidi',
    (handler: Handler<AnyServiceMethod>, path: string, begin: Begin) => unknown
  >
> = {
  unary:
    (handler, _path, begin) => (call: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<unknown>) => {
      const running = begin(call);
      answer(running, done, () => (handler as AnyHandler)(call.request, running.context()));
    },

  clientStream:
    (handler, path, begin) =>
    (call: ServerReadableStream<unknown, unknown>, done: sendUnaryData<unknown>) => {
      const running = begin(call);
      answer(running, done, () => {
        const context = running.context();
        // It has no writable half; its end is the handler's result.
        const stream = createServerStream(
          call as unknown as ServerDuplexStream<unknown, never>,
          path,
          () => {},
        );
        return (handler as AnyHandler)(stream, context);
      });
    },

  serverStream: (handler, path, begin) => (call: ServerWritableStream<unknown, unknown>) => {
    const running = begin(call);
    const stream = createEndingStream(call as unknown as ServerDuplexStream<unknown, unknown>, path, running);
    converse(stream, () => (handler as AnyHandler)(call.request, stream, running.context()));
  },

  bidi: (handler, path, begin) => (call: ServerDuplexStream<unknown, unknown>) => {
    const running = begin(call);
    const stream = createEndingStream(call, path, running);
    const waits = converse(stream, () => (handler as AnyHandler)(stream, running.context()));
    // Without a promise to wait for, the peer's end is this side's, too.
    if (!waits) void stream.closed.then((reason) => stream.close(reason));
  },
};

function answer(running: Running, done: sendUnaryData<unknown>, handle: () => unknown): void {
  const fail = (error: unknown): void => {
    running.end(asError(error));
    done(statusOfError(error));
  };
  const succeed = (response: unknown): void => {
    running.end(undefined);
    done(null, response);
  };
  try {
    const result = handle();
    if (result instanceof Promise) result.then(succeed, fail);
    else succeed(result);
  } catch (error) {
    fail(error);
  }
}

/** @returns whether the stream ends with a promise of the handler's. */
function converse(stream: MessageStream<unknown, unknown>, handle: () => unknown): boolean {
  try {
    const result = handle();
    if (!(result instanceof Promise)) return false;
    result.then(
      () => stream.close(),
      (error: unknown) => stream.close(asError(error)),
    );
  } catch (error) {
    stream.close(asError(error));
  }
  return true;
}

function createEndingStream(
  call: ServerDuplexStream<unknown, unknown>,
  path: string,
  running: Running,
): MessageStream<unknown, unknown> {
  const stream = createServerStream<unknown, unknown>(call, path, (error) => {
    running.end(error);
    if (error === undefined) call.end();
    else call.emit('error', Object.assign(new Error(error.message), statusOfError(error)));
  });
  call.on('cancelled', () => running.end(undefined));
  return stream;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
