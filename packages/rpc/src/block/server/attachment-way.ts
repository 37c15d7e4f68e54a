import type { PolyvisorError } from '@polyvisor/contracts';
import type { AttachResponseInput, Operation } from '@polyvisor/proto/service/block';
import type { OperationWindow } from './operation-window.ts';
import type { Volume, VolumeUser } from './volume.ts';

/** How operations and data of one attachment travel. */
export interface AttachmentWay {
  /** Operations that came in a message. */
  receive(operations: readonly Operation[]): void;
  /** Nothing is taken and nothing answered any more. */
  stop(): void;
}

/** What a way has around it. */
export interface WayContext {
  readonly volume: Volume;
  readonly access: VolumeUser['access'];
  readonly epoch: number;
  readonly window: OperationWindow;
  send(message: NonNullable<AttachResponseInput['message']>): boolean;
  /** The peer broke the rules: the stream ends with this. */
  broken(reason: PolyvisorError): void;
  /** The peer gave a sign of life. */
  heard(): void;
}
