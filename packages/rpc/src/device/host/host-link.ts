import type { AttachRequest, AttachResponseInput } from '@polyvisor/proto/service/device';
import type { MessageStream } from '../message-stream.ts';

/** A stream to the owner of the guest's memory, from a device host. */
export type HostStream = MessageStream<AttachResponseInput, AttachRequest>;

/** What a device of a device host sends: one case of the response. */
export type HostMessage = NonNullable<AttachResponseInput['message']>;

/** The way of all devices of a device host to the owner that is attached. */
export interface HostLink {
  /** Without an owner, and from what an owner before it began, nothing is sent. */
  send(message: HostMessage): void;
  /** The peer broke the protocol: the stream ends with this reason. */
  broken(reason: string): void;
}

/** A device of a device host, as messages drive it. */
export interface HostedDevice {
  readonly name: string;
  /** Handles what the owner sends to this device. */
  receive(message: AttachRequest['message']): void;
  /** To power-on state, once what is under way has ended; nothing of it is answered. */
  restart(): Promise<void>;
  /** A new owner is told what it can't know. */
  announce(): void;
}
