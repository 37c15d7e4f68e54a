import { BroadcastChannel, parentPort, workerData } from 'node:worker_threads';
import { RISCV } from '@polyvisor/isa-riscv';
import type { PhysicalRegion } from './physical-memory.ts';
import { lowerOwnPriority } from './thread-priority.ts';
import { RegionTranslator, type TranslatorOptions } from './region-translator.ts';
import type { CompileReply, RegionRequest } from './region-compiler.ts';

/** What the compile worker is started with. */
export interface CompileWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly regions: readonly PhysicalRegion[];
  /** Index of the shared word that tells when this worker listens. */
  readonly ready: number;
  /** Names of the channels to the vCPUs. */
  readonly channels: readonly string[];
  readonly options: TranslatorOptions;
}

// One compile worker serves all vCPUs of a VM: two of them that warm the same code get the same module.
const data = workerData as CompileWorkerData;
/** Failures told to the main thread, at most: one bug must not fill a log. */
const REPORTS = 5;
let reported = 0;

lowerOwnPriority();
const translator = new RegionTranslator(RISCV, data.memory, data.regions, data.options);

for (const name of data.channels) {
  const channel = new BroadcastChannel(name);
  channel.onmessage = (event) => {
    const request = (event as unknown as { readonly data: RegionRequest }).data;
    let reply: CompileReply;
    try {
      const region = translator.translate(request);
      reply = region === undefined ? {} : { region };
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      reply = { error: text };
      if (reported++ < REPORTS) parentPort?.postMessage(text);
    }
    channel.postMessage(reply);
  };
}
Atomics.store(new Int32Array(data.memory.buffer), data.ready, 1);
