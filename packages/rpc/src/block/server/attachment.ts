import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Attach, AttachRequest, AttachResponseInput } from '@polyvisor/proto/service/block';
import { withStatus } from '../../channel/status.ts';
import type { BlockServerStream } from '../block-stream.ts';
import { BLOCK_PROTOCOL_VERSION, PING_MS, SILENCE_MS, WINDOW_BYTES } from '../protocol.ts';
import type { AttachmentWay } from './attachment-way.ts';
import { OperationWindow } from './operation-window.ts';
import { PoolWay } from './pool-way.ts';
import { StreamWay } from './stream-way.ts';
import type { Volume, VolumeUser } from './volume.ts';

/** What an attachment asks its block host. */
export interface AttachmentHost {
  readonly logger: Logger;
  /** The volume of a capability that this caller may use. @throws PolyvisorError `permission`, `not-found`. */
  open(capability: Uint8Array): { readonly volume: Volume; readonly access: VolumeUser['access'] };
}

/** One stream of a device host, from its first message to its end. */
export class Attachment implements VolumeUser {
  access: VolumeUser['access'] = 'read';
  readonly #stream: BlockServerStream;
  readonly #host: AttachmentHost;
  readonly #window = new OperationWindow();
  #volume: Volume | undefined;
  #way: AttachmentWay | undefined;
  #greeted = false;
  #over = false;
  #blocked = false;
  #heardMs = performance.now();
  #saidMs = 0;

  constructor(stream: BlockServerStream, host: AttachmentHost) {
    this.#stream = stream;
    this.#host = host;
    stream.onMessage((request) => this.#receive(request));
    stream.onDrain(() => {
      this.#heardMs = performance.now();
      if (!this.#blocked) return;
      this.#blocked = false;
      stream.resume?.();
    });
    const timer = this.#watch();
    void stream.closed.then((reason) => {
      clearInterval(timer);
      this.#end();
      if (this.#volume === undefined) return;
      this.#volume.leave(this);
      host.logger.info({ volume: this.#volume.name, reason: reason?.message }, 'a volume was detached');
    });
  }

  get underWay(): number {
    return this.#window.count;
  }

  idle(): Promise<void> {
    return this.#window.idle();
  }

  fence(reason: PolyvisorError): void {
    if (this.#over) return;
    this.#end();
    this.#stream.close(withStatus(reason, 'ABORTED'));
  }

  resized(size: number): void {
    if (this.#way !== undefined) this.#send({ case: 'resized', value: { size } });
  }

  #end(): void {
    this.#over = true;
    this.#way?.stop();
    this.#way = undefined;
  }

  /** Says that this side is there, and notices when the other is not. */
  #watch(): NodeJS.Timeout {
    let ticked = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      // This process was stopped itself: what the peer said meanwhile is yet to be read.
      if (now - ticked > 2 * PING_MS) this.#heardMs = now;
      ticked = now;
      if (now - this.#heardMs >= SILENCE_MS) {
        const limit = `${SILENCE_MS} ms`;
        this.#refuse(new PolyvisorError('unavailable', { what: 'nothing heard from a device host', limit }));
      } else if (now - this.#saidMs >= PING_MS / 2) this.#send({ case: 'ping', value: {} });
    }, PING_MS);
    timer.unref();
    return timer;
  }

  #receive({ message }: AttachRequest): void {
    if (this.#over) return;
    this.#heardMs = performance.now();
    if (message.case === 'ping') return;
    if (message.case === 'operations' && this.#way !== undefined) {
      this.#way.receive(message.value.operations);
    } else if (message.case === 'attach' && !this.#greeted) {
      this.#greeted = true;
      this.#attach(message.value).catch((error: unknown) => this.#refuse(error));
    } else {
      const limit = `${message.case ?? 'nothing'} ${this.#greeted ? 'after' : 'before'} attach`;
      this.#refuse(new PolyvisorError('invalid-argument', { what: 'an unexpected message', limit }));
    }
  }

  async #attach({ version, capability, epoch, sharedPool }: Attach): Promise<void> {
    if (version < 1) {
      throw new PolyvisorError('unsupported', {
        what: 'no such version of block.v1',
        which: String(version),
      });
    }
    const { volume, access } = this.#host.open(capability);
    this.#volume = volume;
    this.access = access;
    // Who takes its place has told the peer so.
    if (!(await volume.takeOver(this, epoch)) || this.#over) return;
    const pool = sharedPool ? volume.pool : undefined;
    const context = {
      volume,
      access,
      epoch,
      window: this.#window,
      send: (message: NonNullable<AttachResponseInput['message']>) => this.#send(message),
      broken: (reason: PolyvisorError) => this.#refuse(reason),
      heard: () => {
        this.#heardMs = performance.now();
      },
    };
    this.#way = pool === undefined ? new StreamWay(context) : new PoolWay(context, pool);
    const readOnly = volume.node.readOnly || access === 'read';
    this.#send({
      case: 'attached',
      value: {
        version: Math.min(version, BLOCK_PROTOCOL_VERSION),
        size: volume.size,
        readOnly,
        discard: !readOnly,
        writeZeroes: !readOnly,
        windowBytes: WINDOW_BYTES,
        sharedPool: pool !== undefined,
      },
    });
    this.#host.logger.info(
      { volume: volume.name, epoch, sharedPool: pool !== undefined },
      'a volume was attached',
    );
  }

  #refuse(error: unknown): void {
    if (this.#over) return;
    this.#end();
    const reason = error instanceof Error ? error : new Error(String(error));
    this.#volume?.metrics.refused();
    this.#host.logger.warn({ volume: this.#volume?.name, error: reason.message }, 'a device host is refused');
    this.#stream.close(reason);
  }

  /** A peer that doesn't read what it asked for may ask for no more. */
  #send(message: NonNullable<AttachResponseInput['message']>): boolean {
    if (this.#over) return false;
    this.#saidMs = performance.now();
    const open = this.#stream.send({ message });
    if (!open && !this.#blocked && this.#stream.pause !== undefined) {
      this.#blocked = true;
      this.#stream.pause();
    }
    return open;
  }
}
