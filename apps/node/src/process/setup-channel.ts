import { Socket } from 'node:net';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ProcessMessage, ProcessSetup } from './process-setup.ts';
import { parseProcessSetup } from './process-setup.ts';

const lengthLimit = 1 << 20;

/** A process's end of the pipe to its supervisor. */
export interface SetupChannel {
  readonly setup: ProcessSetup;
  send(message: ProcessMessage): void;
  /** Resolves when the supervisor has gone, however it went. */
  readonly gone: Promise<void>;
}

/**
 * Reads what the supervisor has sent.
 * @throws PolyvisorError (rejects) `invalid-argument`; `unavailable` when the pipe ends before.
 */
export function openSetupChannel(fd: number): Promise<SetupChannel> {
  const socket = new Socket({ fd, readable: true, writable: true });
  const gone = Promise.withResolvers<void>();
  let text = '';
  return new Promise((resolve, reject) => {
    let done = false;
    const settle = (action: () => void): void => {
      if (done) return;
      done = true;
      action();
    };
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      if (done) return;
      text += piece;
      const end = text.indexOf('\n');
      if (end < 0 && text.length <= lengthLimit) return;
      settle(() => {
        try {
          const setup = parseProcessSetup(end < 0 ? '' : text.slice(0, end));
          resolve({
            setup,
            send: (message) => void socket.write(`${JSON.stringify(message)}\n`),
            gone: gone.promise,
          });
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    const end = (): void => {
      gone.resolve();
      settle(() => reject(new PolyvisorError('unavailable', { what: 'the supervisor has gone' })));
    };
    // Its death shows as an end, or as an error of what is being written.
    socket.on('error', end);
    socket.on('close', end);
    socket.on('end', end);
  });
}
