import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { AttachRequestInput, AttachResponse, Done } from '@polyvisor/proto/service/device';
import type { MessageStream } from '../message-stream.ts';

/** A stream to a device host, from its owner. */
export type OwnerStream = MessageStream<AttachRequestInput, AttachResponse>;

/** What a proxy sends: one case of the request. */
export type OwnerMessage = NonNullable<AttachRequestInput['message']>;

/** The way of all proxies of a group to their device host. */
export interface GroupLink {
  /** False while the device host is away: what is sent then is lost, and {@link RemoteDevice.restore} makes up for it. */
  readonly attached: boolean;
  /** @returns false when proxies with much to say should wait for `drained`. */
  send(message: OwnerMessage): boolean;
  /** A number for {@link Done}; `settle` is called with the answer, perhaps from another attachment. */
  ask(device: number, settle: (done: Done) => void): number;
  /** Takes room in the window of bytes under way; false: wait for `drained`. */
  take(bytes: number): boolean;
  give(bytes: number): void;
  /** The peer broke the protocol: the stream ends with this reason. */
  broken(reason: string): void;
}

/** A proxy, as its group drives it. */
export interface RemoteDevice {
  readonly name: string;
  /** Handles what comes for this device. */
  receive(message: AttachResponse['message']): void;
  /** A device host is there, in power-on state: brings it to where the last one was. */
  restore(): void;
  /** There is room to send again. */
  drained(): void;
  /** Elements or accesses that wait for an answer. */
  readonly inFlight: number;
}

/** A section that came from a peer. */
export function sectionOf(section: { type: string; version: number; bytes: Uint8Array }): StateSection {
  // Views into a message would keep all of it alive.
  return { type: section.type, version: section.version, bytes: section.bytes.slice() };
}

/** The error that a peer tells of. Codes that it made up count as `internal`. */
export function errorOf(failure: { code: string; message: string }): PolyvisorError {
  const code =
    failure.code === 'corrupt' || failure.code === 'unsupported' || failure.code === 'io'
      ? failure.code
      : 'internal';
  return new PolyvisorError(code, { what: failure.message });
}
