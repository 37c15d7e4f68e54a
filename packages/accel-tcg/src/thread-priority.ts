import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Nice values: a vCPU that needs a core gets it before work that only makes it faster later. */
const COMPILER_NICE = 10;
const V8_NICE = 5;
/** What Node calls V8's threads for compiling and collecting. */
const V8_THREAD = 'node-V8Worker';

/** Lets this thread step back when cores are short. Linux only; elsewhere, or where it isn't allowed, nothing happens. */
export function lowerOwnPriority(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    if (Number.isInteger(thread) && thread > 0) setPriority(thread, COMPILER_NICE);
  } catch {
    // Only a matter of speed.
  }
}

/** The same for V8's background threads, which optimise translated code. */
export function lowerV8Priority(): void {
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
      if (name === V8_THREAD) setPriority(Number(thread), V8_NICE);
    }
  } catch {
    // Only a matter of speed.
  }
}
