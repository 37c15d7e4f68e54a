import type { ClientDuplexStream, ServerDuplexStream } from '@grpc/grpc-js';
import { PolyvisorError } from '@polyvisor/contracts';
import type { MessageStream } from './message-stream.ts';
import { errorOfStatus } from './status.ts';

/** A stream of a server; `finish` tells the call's end, at most once. */
export function createServerStream<Out, In>(
  call: ServerDuplexStream<In, Out>,
  path: string,
  finish: (error: Error | undefined) => void,
): MessageStream<Out, In> {
  let over = false;
  const closing = Promise.withResolvers<Error | undefined>();
  const close = (error?: Error): void => {
    if (over) return;
    over = true;
    finish(error);
    closing.resolve(error);
  };
  call.on('error', (error: Error) => {
    over = true;
    closing.resolve(error);
  });
  call.on('cancelled', () => {
    over = true;
    closing.resolve(new PolyvisorError('cancelled', { what: 'the caller has gone', which: path }));
  });
  call.on('end', () => closing.resolve(undefined));
  return {
    send: (message) => !over && call.write(message),
    onMessage: (receive) => {
      call.on('data', (message: In) => {
        if (!over) receive(message);
      });
    },
    onDrain: (callback) => {
      call.on('drain', callback);
    },
    pause: () => {
      call.pause();
    },
    resume: () => {
      call.resume();
    },
    end: () => close(),
    close,
    closed: closing.promise,
  };
}

/** How long a server may take to end a stream that this side has closed. */
const goodbyeMs = 2_000;

/** A stream of a client. */
export function createClientStream<Out, In>(
  call: ClientDuplexStream<Out, In>,
  path: string,
  signal: AbortSignal | undefined,
): MessageStream<Out, In> {
  let over = false;
  let sentAll = false;
  let flowing = false;
  let reason: Error | undefined;
  const closing = Promise.withResolvers<Error | undefined>();
  const abort = (): void =>
    close(new PolyvisorError('cancelled', { what: 'the call was given up', which: path }));
  const finish = (why: Error | undefined): void => {
    over = true;
    signal?.removeEventListener('abort', abort);
    closing.resolve(why);
  };
  const end = (): void => {
    if (sentAll) return;
    sentAll = true;
    call.end();
  };
  const close = (error?: Error): void => {
    if (over) return;
    over = true;
    reason = error;
    if (error === undefined) {
      // The server gets what was sent, and ends the call itself.
      end();
      call.resume();
      setTimeout(() => call.cancel(), goodbyeMs).unref();
    } else {
      call.cancel();
    }
    finish(error);
  };
  // The status says the same.
  call.on('error', () => {});
  call.on('status', (status) => {
    if (status.code !== 0) {
      finish(reason ?? errorOfStatus(status, path));
      return;
    }
    if (!flowing) call.resume();
    if (call.readableEnded) finish(undefined);
    else call.once('end', () => finish(undefined));
  });
  if (signal?.aborted === true) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return {
    send: (message) => !over && !sentAll && call.write(message),
    onMessage: (receive) => {
      flowing = true;
      call.on('data', (message: In) => {
        if (!over) receive(message);
      });
    },
    onDrain: (callback) => {
      call.on('drain', callback);
    },
    pause: () => {
      call.pause();
    },
    resume: () => {
      call.resume();
    },
    end,
    close,
    closed: closing.promise,
  };
}
