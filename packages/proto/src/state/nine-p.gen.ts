// Generated from proto/polyvisor/device/v1/nine_p.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** What one of the client's numbers stands for. */
export interface NinePFidState {
  /** The client's number. */
  fid: number;
  /** It can't be found again: it had lost its name. */
  lost: boolean;
  /** Components from the share's root down, separated by slashes; empty for the root. */
  path: Uint8Array;
  /** Identity of the object, to notice that another one took its name. */
  qidPath: bigint;
  /** It is open, with these flags: 1 read, 2 write, 4 append, 8 synchronous data, 16 synchronous. */
  open: boolean;
  /** See open. */
  flags: number;
}

export const ninePFidState = defineState<NinePFidState>('polyvisor.device.v1.NinePFidState', [
  { name: 'fid', number: 1, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'lost', number: 2, type: 'bool', reset: false, since: 1 },
  { name: 'path', number: 3, type: 'bytes', since: 1, limit: 4096 },
  { name: 'qidPath', number: 4, type: 'uint64', width: 64, reset: 0n, since: 1 },
  { name: 'open', number: 5, type: 'bool', reset: false, since: 1 },
  { name: 'flags', number: 6, type: 'uint32', width: 5, reset: 0, since: 1 },
]);

/** A session. */
export interface NinePSessionState {
  /** Greatest message that was agreed on; 0 before that. */
  msize: number;
  /** In order of the numbers. */
  fids: NinePFidState[];
}

export const ninePSessionState = defineState<NinePSessionState>('polyvisor.device.v1.NinePSessionState', [
  { name: 'msize', number: 1, type: 'uint32', width: 32, reset: 0, since: 1 },
  { name: 'fids', number: 2, type: 'message', since: 1, repeated: true, limit: 65536, message: ninePFidState },
]);
