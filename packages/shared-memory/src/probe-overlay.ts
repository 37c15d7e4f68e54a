import { Worker } from 'node:worker_threads';
import { createMemfd, HOST_PAGE } from './memfd.ts';
import { mapShared, type SharedMapping } from './overlay.ts';
import type { ProbeWorkerData } from './probe-worker.ts';

/** Whether memory can be shared between processes here. */
export type OverlayProbe = { readonly works: true } | { readonly works: false; readonly reason: string };

let cached: Promise<OverlayProbe> | undefined;

/**
 * Tries, once in a process, what everything here rests on, since V8 does not promise it: a wasm memory's buffer keeps
 * showing the memfd that was laid over it, to this thread, to wasm code, and to a thread that the buffer was posted
 * to. Where it does not work, the caller uses messages and logs the reason. Never rejects. Takes some 50 ms.
 */
export function probeOverlay(): Promise<OverlayProbe> {
  cached ??= probe().then(
    (reason) => (reason === undefined ? { works: true } : { works: false, reason }),
    (error: unknown) => ({ works: false, reason: error instanceof Error ? error.message : String(error) }),
  );
  return cached;
}

/** Adds 1 to the first word of the memory imported as m.m, and returns it: function f. */
const INCREMENT = Uint8Array.of(
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic, version
  1, 5, 1, 0x60, 0, 1, 0x7f, // type () -> i32
  2, 9, 1, 1, 0x6d, 1, 0x6d, 2, 3, 1, 1, // import memory, shared, 1 to 1 pages
  3, 2, 1, 0, // function of type 0
  7, 5, 1, 1, 0x66, 0, 0, // export it
  10, 22, 1, 20, 0,
  0x41, 0, 0x41, 0, 0x28, 2, 0, 0x41, 1, 0x6a, 0x36, 2, 0, // [0] = [0] + 1
  0x41, 0, 0x28, 2, 0, 0x0b, // [0]
); // prettier-ignore

const VALUE = 0x1234_5678;

/** Why it does not work, or undefined. */
async function probe(): Promise<string | undefined> {
  const memfd = createMemfd('polyvisor-probe', HOST_PAGE);
  const mappings: SharedMapping[] = [];
  try {
    for (let side = 0; side < 2; side++) mappings.push(mapShared(memfd.fd, memfd.size));
    const [mine, theirs] = mappings.map(({ buffer }) => new Int32Array(buffer)) as [Int32Array, Int32Array];
    Atomics.store(mine, 0, VALUE);
    if (Atomics.load(theirs, 0) !== VALUE) return 'a second mapping does not show what the first wrote';
    if (increment(mappings[0] as SharedMapping) !== VALUE + 1) return 'wasm code does not see the mapping';
    if (Atomics.load(theirs, 0) !== VALUE + 1) return 'what wasm code writes does not reach the mapping';
    await incrementOnThread({ words: mine, index: 1 });
    if (Atomics.load(theirs, 1) !== 1) return 'another thread does not see the mapping';
    return undefined;
  } finally {
    for (const mapping of mappings) mapping.close();
    memfd.close();
  }
}

function increment({ memory }: SharedMapping): number {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(INCREMENT), { m: { m: memory } });
  return (instance.exports['f'] as () => number)();
}

function incrementOnThread(workerData: ProbeWorkerData): Promise<void> {
  const worker = new Worker(new URL('./probe-worker.ts', import.meta.url), { workerData });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => resolve());
  });
}
