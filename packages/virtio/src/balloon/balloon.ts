import type { GuestMemory, StateSection } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioBalloonState } from '@polyvisor/proto/state/virtio-backends';
import { drain } from '../backend/drain.ts';
import type { VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import type { QueueElement } from '../queue/element.ts';
import * as reg from './registers.ts';
import type { BalloonStatistics } from './statistics.ts';
import { parseStatistics } from './statistics.ts';

export interface VirtioBalloonOptions {
  /** Default 128. */
  readonly queueSize?: number;
}

export interface VirtioBalloonDependencies {
  readonly memory: Pick<GuestMemory, 'locate'>;
  /** Gives whole pages of RAM, of 4096 bytes, back to the host. They read as zeroes, or as before, until written. */
  readonly discard: (gpa: number, bytes: number) => void;
}

/** A balloon device and what the host may do with it. */
export interface VirtioBalloon extends VirtioBackend {
  /** Asks the guest to give `bytes` in all, or takes the wish back in part. Counts pages of 4096. */
  setTarget(bytes: number): void;
  /** What the guest says that it has given. */
  readonly actualBytes: number;
  /** Asks for fresh statistics; {@link statistics} changes when they come. @returns false when no driver is there to answer. */
  requestStatistics(): boolean;
  readonly statistics: BalloonStatistics;
  /** Pages that the guest gave and doesn't have. */
  readonly ignoredPages: number;
}

/** Of one request, page numbers beyond this are not looked at. Linux sends 256 at a time. */
const REQUEST_BYTES = 64 * 1024;
const CHUNK_BYTES = 4096;
const STATISTICS_BYTES = 64 * reg.STATISTIC_BYTES;

/** A memory balloon (VIRTIO 1.3, section 5.5) with statistics and free page reporting. */
export function createVirtioBalloon(
  options: VirtioBalloonOptions,
  dependencies: VirtioBalloonDependencies,
): VirtioBalloon {
  return new Balloon(options, dependencies);
}

class Balloon implements VirtioBalloon {
  readonly deviceId = reg.VIRTIO_ID_BALLOON;
  readonly features =
    reg.VIRTIO_BALLOON_F_STATS_VQ |
    reg.VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
    reg.VIRTIO_BALLOON_F_PAGE_POISON |
    reg.VIRTIO_BALLOON_F_PAGE_REPORTING;
  readonly queueSizes: readonly number[];
  readonly config = new Uint8Array(reg.CONFIG_BYTES);
  ignoredPages = 0;
  statistics: BalloonStatistics = {};
  readonly #view = new DataView(this.config.buffer);
  readonly #memory: Pick<GuestMemory, 'locate'>;
  readonly #discard: (gpa: number, bytes: number) => void;
  readonly #state = virtioBalloonState.create();
  readonly #chunk = new DataView(new ArrayBuffer(CHUNK_BYTES));
  readonly #chunkBytes = new Uint8Array(this.#chunk.buffer);
  #host: VirtioHost | undefined;
  #features = 0n;
  /** The driver's buffer for statistics: kept until fresh ones are wanted (section 5.5.6.3). */
  #statsBuffer: QueueElement | undefined;
  #quiesced = false;

  constructor(options: VirtioBalloonOptions, { memory, discard }: VirtioBalloonDependencies) {
    this.#memory = memory;
    this.#discard = discard;
    this.queueSizes = Array.from({ length: reg.QUEUES }, () => options.queueSize ?? 128);
  }

  connect(host: VirtioHost): void {
    this.#host = host;
  }

  activate(features: bigint): void {
    this.#features = features;
  }

  #has(feature: bigint): boolean {
    return (this.#features & feature) !== 0n;
  }

  get actualBytes(): number {
    return this.#state.actual * reg.PAGE_BYTES;
  }

  setTarget(bytes: number): void {
    this.#state.numPages = Math.floor(bytes / reg.PAGE_BYTES);
    this.#fillConfig();
    this.#host?.configChanged();
  }

  #fillConfig(): void {
    this.#view.setUint32(reg.CONFIG_NUM_PAGES, this.#state.numPages, true);
    this.#view.setUint32(reg.CONFIG_ACTUAL, this.#state.actual, true);
    this.#view.setUint32(reg.CONFIG_POISON_VAL, this.#state.poison, true);
  }

  writeConfig(offset: number, width: number, value: number): void {
    if (width !== 4) return;
    if (offset === reg.CONFIG_ACTUAL) this.#state.actual = value;
    else if (offset === reg.CONFIG_POISON_VAL) this.#state.poison = value;
    this.#fillConfig();
  }

  notify(queue: number): void {
    if (this.#host === undefined || this.#quiesced) return;
    if (queue === reg.INFLATE_QUEUE) drain(this.#host, queue, this.#inflate);
    else if (queue === reg.DEFLATE_QUEUE) drain(this.#host, queue, deflate);
    else if (queue === reg.STATS_QUEUE && this.#has(reg.VIRTIO_BALLOON_F_STATS_VQ)) this.#takeStatistics();
    else if (this.#has(reg.VIRTIO_BALLOON_F_PAGE_REPORTING)) drain(this.#host, queue, this.#report);
  }

  readonly #inflate = (element: QueueElement): number => {
    const length = Math.min(element.readable.bytes, REQUEST_BYTES);
    let first = -1;
    let next = -1;
    for (let done = 0; done < length; done += CHUNK_BYTES) {
      const count = element.read(done, this.#chunkBytes, 0, Math.min(CHUNK_BYTES, length - done));
      for (let at = 0; at + reg.PAGE_NUMBER_BYTES <= count; at += reg.PAGE_NUMBER_BYTES) {
        const page = this.#chunk.getUint32(at, true);
        if (page !== next) {
          this.#give(first, next);
          first = page;
        }
        next = page + 1;
      }
    }
    this.#give(first, next);
    return 0;
  };

  /** Gives back pages from `first` up to `next`; -1: none. */
  #give(first: number, next: number): void {
    if (first >= 0) this.#discardRange(first * reg.PAGE_BYTES, (next - first) * reg.PAGE_BYTES);
  }

  #discardRange(gpa: number, bytes: number): void {
    if (this.#memory.locate(gpa, bytes) >= 0) this.#discard(gpa, bytes);
    else this.ignoredPages += bytes / reg.PAGE_BYTES;
  }

  /** Free pages lie in the writable half. With a poison value they must keep it, and stay. */
  readonly #report = (element: QueueElement): number => {
    if (this.#has(reg.VIRTIO_BALLOON_F_PAGE_POISON) && this.#state.poison !== 0) return 0;
    const { count, gpas, lengths } = element.writable;
    for (let index = 0; index < count; index++) {
      const from = Math.ceil(gpas[index]! / reg.PAGE_BYTES) * reg.PAGE_BYTES;
      const to = Math.floor((gpas[index]! + lengths[index]!) / reg.PAGE_BYTES) * reg.PAGE_BYTES;
      if (from < to) this.#discardRange(from, to - from);
    }
    return 0;
  };

  #takeStatistics(): void {
    const queue = this.#host?.queue(reg.STATS_QUEUE);
    const element = queue?.pop();
    if (queue === undefined || element === undefined) return;
    // A driver has one such buffer; of several, the newest counts.
    if (this.#statsBuffer !== undefined) queue.push(this.#statsBuffer, 0);
    const bytes = new Uint8Array(Math.min(element.readable.bytes, STATISTICS_BYTES));
    element.read(0, bytes);
    if (bytes.length > 0) this.statistics = parseStatistics(bytes);
    this.#statsBuffer = element;
    queue.signal();
  }

  requestStatistics(): boolean {
    const queue = this.#host?.queue(reg.STATS_QUEUE);
    const element = this.#statsBuffer;
    if (queue === undefined || element === undefined) return false;
    this.#statsBuffer = undefined;
    queue.push(element, 0);
    queue.signal();
    return true;
  }

  reset(): void {
    this.#statsBuffer = undefined;
    this.statistics = {};
    this.#features = 0n;
    // What the host asks for outlives the guest's reset.
    const { numPages } = this.#state;
    virtioBalloonState.reset(this.#state);
    this.#state.numPages = numPages;
    this.#fillConfig();
  }

  save(): StateSection {
    return saveSection(virtioBalloonState, this.#state);
  }

  load(section: StateSection): void {
    loadSection(virtioBalloonState, this.#state, section);
    this.#fillConfig();
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    if (this.#statsBuffer !== undefined) this.#host?.queue(reg.STATS_QUEUE)?.undoPop(this.#statsBuffer);
    this.#statsBuffer = undefined;
    return Promise.resolve();
  }

  resume(): void {
    this.#quiesced = false;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Pages come back by themselves when the guest writes them. */
function deflate(): number {
  return 0;
}
