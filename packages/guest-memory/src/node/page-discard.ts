import koffi from 'koffi';
import type { Gpa } from '@polyvisor/contracts';
import type { BackedGuestMemory } from '../guest-memory.ts';
import { PAGE_SIZE } from '../layout.ts';
import { isSharedBetweenProcesses } from './shared-guest-memory.ts';

/** The host forgets the pages: private memory reads as zeroes afterwards (madvise(2)). */
const MADV_DONTNEED = 4;
/** The memfd forgets them, for all who map it. The other advice would only drop this process's view of them. */
const MADV_REMOVE = 9;

type Madvise = (address: bigint, length: number, advice: number) => number;

/**
 * Gives a function that returns whole pages of RAM to the host; they read as zeroes until written. Ranges that aren't
 * whole pages of one RAM region are ignored, and so is everything where the host has no madvise. Costs a system call
 * per range. Memory that other processes have, too (`overlayGuestMemory`, `openSharedGuestMemory`), is forgotten for all.
 */
export function createPageDiscard(memory: BackedGuestMemory): (gpa: Gpa, bytes: number) => void {
  const madvise = openMadvise();
  if (madvise === undefined) return () => {};
  // The address is that of the wasm memory: it never moves.
  const base = koffi.address(memory.bytes);
  const advice = isSharedBetweenProcesses(memory.layout) ? MADV_REMOVE : MADV_DONTNEED;
  return (gpa, bytes) => {
    const offset = memory.locate(gpa, bytes);
    if (offset < 0 || offset % PAGE_SIZE !== 0 || bytes % PAGE_SIZE !== 0 || bytes === 0) return;
    if (madvise(base + BigInt(offset), bytes, advice) === 0) memory.wrote(gpa, bytes);
  };
}

function openMadvise(): Madvise | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return koffi
      .load('libc.so.6')
      .func('int madvise(uintptr_t address, size_t length, int advice)') as Madvise;
  } catch {
    // Another libc, or no prebuilt FFI for this system: memory simply stays.
    return undefined;
  }
}
