import type { StateSection } from '@polyvisor/contracts';
import type { QueuePosition, QueueSetup, QueueViolation, Virtqueue } from '../queue/virtqueue.ts';

/**
 * A device model behind a virtio transport. The transport owns registers, features, interrupt status and
 * queue state, on the side of the guest's memory; a backend sees its configuration, the features agreed on
 * and queue elements, so that it may run elsewhere.
 */
export interface VirtioBackend {
  /** VIRTIO 1.3, section 5: 1 net, 2 block, 3 console, 4 entropy, 5 balloon, 9 9P. */
  readonly deviceId: number;
  /** Device-specific feature bits that it offers. The transport adds its own. */
  readonly features: bigint;
  /** Greatest size of each queue, in order of their numbers; powers of two. */
  readonly queueSizes: readonly number[];
  /**
   * Configuration space as the driver reads it, at most 256 bytes. The backend writes into it and then calls
   * {@link VirtioHost.configChanged}.
   */
  readonly config: Uint8Array;
  /**
   * It walks the rings itself, in guest memory that it shares: {@link VirtioHost.queue} gives it none, it gets
   * {@link VirtioHost.setups}, and rings live with it from `activate` until `quiesce`. Absent: false.
   */
  readonly walksQueues?: boolean;
  /** Where it is in the rings that it walks, while quiesced; by queue number. */
  positions?(): readonly (QueuePosition | undefined)[];
  /** The driver wrote `width` bytes of configuration space. Absent: it is read-only. */
  writeConfig?(offset: number, width: number, value: number): void;
  /** False refuses a set of features that doesn't go together; the driver then can't go on. */
  acceptFeatures?(features: bigint): boolean;
  /** Called once, before anything else. */
  connect(host: VirtioHost): void;
  /** The driver is ready: queues may be used, with these features, until {@link reset}. Also called after a load. */
  activate(features: bigint): void;
  /** The driver rang for this queue, or work was left over. Takes at most a queue's size of elements, then calls `again`. */
  notify(queue: number): void;
  /** Back to power-on state; forget every element. Queues are already gone. */
  reset(): void;
  /** For one that {@link walksQueues}: resolves when it touches no memory any more after a reset. */
  settled?(): Promise<void> | undefined;
  /** State of the device model alone, while quiesced; where there is a {@link revision}, at any time between two calls. */
  save(): StateSection;
  /**
   * Grows whenever what `save` gives has changed: whoever stands ready to take over keeps a copy. Absent: it changes
   * only with {@link activate} and {@link writeConfig}.
   */
  readonly revision?: number | undefined;
  /** @throws PolyvisorError `corrupt`; the backend is then as after reset. */
  load(section: StateSection): void;
  /** Takes no new elements and resolves once it holds none. */
  quiesce(): Promise<void>;
  /** Takes up work again; the transport rings for every queue afterwards. */
  resume(): void;
  close(): Promise<void>;
}

/** What a transport gives its backend. */
export interface VirtioHost {
  /** The queue, while the driver has it set up and the device is active. Don't keep it over a reset. */
  queue(index: number): Virtqueue | undefined;
  /** Calls `notify(queue)` again from a later task, so that one busy queue can't starve the rest. */
  again(queue: number): void;
  /** Tells the driver that configuration space changed. */
  configChanged(): void;
  /** All queues that the driver has set up, with where the device is in them; by queue number. */
  setups(): readonly (QueueState | undefined)[];
  /** For a backend that walks rings itself: it has used buffers and the driver wants to hear of it. */
  usedBuffers(): void;
  /** Likewise: the driver broke the rules. */
  violated(queue: number, reason: QueueViolation): void;
  /**
   * While quiesced: opens all queues anew where `positions` say, or where they are, because who walks them
   * changes. Elements in flight go dead.
   */
  reopen(positions?: readonly (QueuePosition | undefined)[]): void;
}

/** A queue as its driver set it up, and where the device is in it. */
export type QueueState = QueueSetup & QueuePosition;
