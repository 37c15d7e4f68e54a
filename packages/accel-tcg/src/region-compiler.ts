import { BroadcastChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

/** A place that got warm. Structured-cloneable. */
export interface RegionRequest {
  /** It is known to run at several virtual addresses. */
  readonly moves: boolean;
  readonly pc: bigint;
  readonly mode: number;
  /** Virtual page number -> physical page number, as far as known; the pc's own page is among them. */
  readonly pages: ReadonlyMap<bigint, number>;
  /** Virtual page number -> address of its record array: what was never decoded is left out of the region. */
  readonly records: ReadonlyMap<bigint, number>;
}

/** A further page of a region: how many virtual pages behind the entry's page, and which guest-physical page is there. */
export interface RegionPage {
  readonly distance: bigint;
  readonly page: number;
}

/** Guest bytes that a region was made from. */
export interface RegionSource {
  /** Guest-physical page. */
  readonly page: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The answer: a module that exports `region`, or none when the place can't be compiled. */
export interface CompiledRegion {
  /** Offset of its entry in the page. */
  readonly offset: number;
  /** The only virtual address that it runs at; absent: every one that leads there. */
  readonly fixed?: bigint;
  readonly mode: number;
  /** Bits of the mode word that the translation depends on. */
  readonly modeMask: number;
  /** Guest-physical pages that code was read from, the entry's first. */
  readonly pages: readonly number[];
  /** What must be mapped around the entry's page. */
  readonly further: readonly RegionPage[];
  readonly sources: readonly RegionSource[];
  readonly module: WebAssembly.Module;
}

/** What the compile worker posts back. */
export interface CompileReply {
  readonly region?: CompiledRegion;
  readonly error?: string;
}

/** Where a vCPU sends what got warm, and finds what was compiled. Never blocks. */
export interface RegionCompiler {
  /** Requests that were not answered yet. */
  readonly pending: number;
  request(request: RegionRequest): void;
  /** The next finished region, if there is one. */
  take(): CompiledRegion | undefined;
}

/** Requests in flight at most: what gets hot later is asked for later. */
const MAX_PENDING = 128;

/**
 * The compile worker, seen from a vCPU. They meet on a named channel, because a vCPU thread that never returns
 * to its event loop can still read from one, and neither has to be handed a port by the main thread.
 */
export class RemoteCompiler implements RegionCompiler {
  pending = 0;
  /** Requests not made because too many were under way; failed ones, and why the last did. */
  refused = 0;
  failed = 0;
  lastError = '';
  private readonly channel: BroadcastChannel;
  private readonly isReady: () => boolean;
  /** Made before the worker listened. */
  private early: RegionRequest[] = [];

  constructor(name: string, isReady: () => boolean) {
    this.channel = new BroadcastChannel(name);
    this.channel.unref();
    this.isReady = isReady;
  }

  request(request: RegionRequest): void {
    if (this.pending >= MAX_PENDING) {
      this.refused++;
      return;
    }
    this.pending++;
    this.early.push(request);
    this.send();
  }

  private send(): void {
    if (this.early.length === 0 || !this.isReady()) return;
    for (const request of this.early) this.channel.postMessage(request);
    this.early = [];
  }

  take(): CompiledRegion | undefined {
    this.send();
    for (;;) {
      const received = receiveMessageOnPort(this.channel as unknown as MessagePort);
      if (received === undefined) return undefined;
      this.pending--;
      const { region, error } = received.message as CompileReply;
      if (region !== undefined) return region;
      if (error !== undefined) {
        this.failed++;
        this.lastError = error;
      }
    }
  }
}
