import type { VirtioNetState } from '@polyvisor/proto/state/virtio-backends';
import { MAC_BYTES } from './registers.ts';

/** Addresses of one kind that are kept; with more, all are received. */
const TABLE_ENTRIES = 64;
const COUNT_BYTES = 4;

/** Names of the receive mode commands, by number (VIRTIO 1.3, section 5.1.6.5.1). */
const RECEIVE_MODES = [
  'promiscuous',
  'allMulticast',
  'allUnicast',
  'noMulticast',
  'noUnicast',
  'noBroadcast',
] as const;

/** Sets one receive mode. @returns false for an unknown command. */
export function setReceiveMode(state: VirtioNetState, command: number, on: boolean): boolean {
  const mode = RECEIVE_MODES[command];
  if (mode === undefined) return false;
  state[mode] = on;
  return true;
}

/**
 * Sets both address tables from a command's data: a count and addresses, twice.
 * @returns false when it is malformed; the tables are then as before.
 */
export function setMacTable(state: VirtioNetState, data: Uint8Array): boolean {
  const unicast = readTable(data, 0);
  const multicast = unicast && readTable(data, unicast.end);
  if (unicast === undefined || multicast === undefined) return false;
  state.unicast = unicast.addresses;
  state.unicastOverflow = unicast.overflow;
  state.multicast = multicast.addresses;
  state.multicastOverflow = multicast.overflow;
  return true;
}

function readTable(data: Uint8Array, at: number) {
  if (at + COUNT_BYTES > data.length) return undefined;
  const count = new DataView(data.buffer, data.byteOffset).getUint32(at, true);
  const end = at + COUNT_BYTES + count * MAC_BYTES;
  if (end > data.length) return undefined;
  const overflow = count > TABLE_ENTRIES;
  return { end, overflow, addresses: overflow ? new Uint8Array(0) : data.slice(at + COUNT_BYTES, end) };
}

/** Whether the guest wants a frame, by its destination address. */
export function wantsFrame(state: VirtioNetState, frame: Uint8Array): boolean {
  if (state.promiscuous) return true;
  if ((frame[0]! & 1) === 0) {
    if (state.noUnicast) return false;
    if (state.allUnicast || state.unicastOverflow || sameAddress(state.mac, 0, frame)) return true;
    return inTable(state.unicast, frame);
  }
  if (isBroadcast(frame)) return !state.noBroadcast;
  if (state.noMulticast) return false;
  return state.allMulticast || state.multicastOverflow || inTable(state.multicast, frame);
}

function isBroadcast(frame: Uint8Array): boolean {
  for (let index = 0; index < MAC_BYTES; index++) if (frame[index] !== 0xff) return false;
  return true;
}

function inTable(table: Uint8Array, frame: Uint8Array): boolean {
  for (let at = 0; at < table.length; at += MAC_BYTES) if (sameAddress(table, at, frame)) return true;
  return false;
}

function sameAddress(table: Uint8Array, at: number, frame: Uint8Array): boolean {
  for (let index = 0; index < MAC_BYTES; index++) if (table[at + index] !== frame[index]) return false;
  return true;
}
