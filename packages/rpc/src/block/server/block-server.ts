import type { KeyObject } from 'node:crypto';
import type { BlockEnvironment, BlockNode, FormatNode } from '@polyvisor/block';
import { openImage } from '@polyvisor/block';
import { NODE_DRIVERS } from '@polyvisor/block/node';
import type { Logger, Metrics } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger, silentMetrics } from '@polyvisor/contracts';
import type { OpenRequestInput, VolumeInfoInput } from '@polyvisor/proto/service/block';
import { blockService } from '@polyvisor/proto/service/block';
import type { ServedService } from '../../channel/handlers.ts';
import { serve } from '../../channel/handlers.ts';
import { vmName } from '../../channel/identity.ts';
import type { BlockServerStream } from '../block-stream.ts';
import type { PoolBlockSide } from '../shared/block-side.ts';
import { Attachment } from './attachment.ts';
import type { VolumeClaims } from './capability.ts';
import { createCapabilities } from './capability.ts';
import { Volume } from './volume.ts';

/** Volumes that may be open. */
const VOLUMES_LIMIT = 256;
const volumeName = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** What a {@link createBlockServer} needs. */
export interface BlockServerOptions {
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** What images are opened with. All drivers unless said, and no bounds on where files lie. */
  readonly environment?: Partial<Omit<BlockEnvironment, 'logger'>>;
  /** Signs capabilities: private, Ed25519. One is made unless given, and earlier capabilities are void. */
  readonly key?: KeyObject;
  /** Pools that this process has inherited, by volume. */
  readonly pools?: ReadonlyMap<string, PoolBlockSide>;
}

/** Disk images as volumes. Errors are those of the RPCs: see proto/polyvisor/block/v1. */
export interface BlockServer {
  /** For `createServer` of the channel. */
  readonly service: ServedService;
  open(request: OpenRequestInput): Promise<VolumeInfoInput>;
  /** Serves a node that is open already, and then belongs to the volume. @throws PolyvisorError `already-exists`. */
  add(volume: string, node: BlockNode): VolumeInfoInput;
  /** A capability. @throws PolyvisorError `not-found`, `invalid-argument`. */
  grant(claims: VolumeClaims): Uint8Array;
  /** Serves a stream. @param requireVm throws unless the caller may act for that VM. */
  attach(stream: BlockServerStream, requireVm: (vm: string) => void): void;
  list(): VolumeInfoInput[];
  resize(volume: string, size: number, shrink: boolean): Promise<void>;
  /** Idempotent. */
  closeVolume(volume: string): Promise<void>;
  /** Closes all volumes and pools. Idempotent. */
  close(): Promise<void>;
}

/** Makes a block host without volumes. */
export function createBlockServer(options: BlockServerOptions = {}): BlockServer {
  return new Server(options);
}

/** A volume that is open, or about to be. */
interface Slot {
  /** What it was opened with, to tell the same request from another. */
  readonly request: string;
  readonly opening: Promise<Volume>;
  volume: Volume | undefined;
  closing: Promise<void> | undefined;
}

class Server implements BlockServer {
  readonly service: ServedService;
  readonly #options: BlockServerOptions;
  readonly #logger: Logger;
  readonly #capabilities: ReturnType<typeof createCapabilities>;
  readonly #slots = new Map<string, Slot>();
  #closing: Promise<void> | undefined;

  constructor(options: BlockServerOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#capabilities = createCapabilities(options.key);
    this.service = serve(blockService, {
      open: async (request) => ({ volume: await this.open(request) }),
      close: async ({ volume }) => {
        await this.closeVolume(volume);
        return {};
      },
      grant: ({ volume, vm, readOnly }) => ({
        capability: this.grant({ volume, vm, access: readOnly ? 'read' : 'read-write' }),
      }),
      attach: (stream, context) => this.attach(stream, (vm) => context.requireVm(vm)),
      list: () => ({ volumes: this.list() }),
      resize: async ({ volume, size, shrink }) => {
        await this.resize(volume, size, shrink);
        return {};
      },
    });
  }

  async open(request: OpenRequestInput): Promise<VolumeInfoInput> {
    const {
      volume = '',
      image = '',
      format = '',
      readOnly = false,
      options = new Map<string, string>(),
    } = request;
    const same = JSON.stringify([image, format, readOnly, [...options].sort()]);
    const known = this.#slots.get(volume);
    if (known !== undefined && known.closing === undefined) {
      if (known.request === same) return (await known.opening).describe();
      throw new PolyvisorError('precondition', {
        what: 'a volume is open with another image',
        which: volume,
        limit: known.volume?.image ?? 'it is being opened',
      });
    }
    await known?.closing;
    return (await this.#insert(volume, same, image, () => this.#openImage(request)).opening).describe();
  }

  async #openImage({
    image = '',
    format = '',
    readOnly = false,
    options,
  }: OpenRequestInput): Promise<FormatNode> {
    const node = await openImage(
      image,
      {
        readOnly,
        ...(format === '' ? {} : { format }),
        ...(options === undefined ? {} : { values: Object.fromEntries(options) }),
      },
      { drivers: NODE_DRIVERS, ...this.#options.environment, logger: this.#logger },
    );
    if (format !== '' || node.driver !== 'raw') return node;
    await node.close();
    // Whoever has written to a raw disk could have made it look like anything.
    throw new PolyvisorError('invalid-argument', {
      what: "can't tell a disk image's format",
      which: image,
      limit: 'it looks raw',
      hint: 'if it is, say format: raw',
    });
  }

  add(name: string, node: BlockNode): VolumeInfoInput {
    if (this.#slots.has(name))
      throw new PolyvisorError('already-exists', { what: 'a volume is open', which: name });
    const volume = this.#makeVolume(name, node.name, node);
    this.#insert(name, '', node.name, () => Promise.resolve(node), volume);
    return volume.describe();
  }

  #insert(
    name: string,
    request: string,
    image: string,
    load: () => Promise<BlockNode>,
    volume?: Volume,
  ): Slot {
    if (!volumeName.test(name)) {
      throw new PolyvisorError('invalid-argument', { what: 'no name for a volume', which: name });
    }
    if (this.#closing !== undefined)
      throw new PolyvisorError('unavailable', { what: 'the block host is closing' });
    if (this.#slots.size >= VOLUMES_LIMIT) {
      throw new PolyvisorError('limit', { what: 'too many volumes', limit: String(VOLUMES_LIMIT) });
    }
    const opening =
      volume === undefined
        ? load().then((node) => this.#makeVolume(name, image, node))
        : Promise.resolve(volume);
    const slot: Slot = { request, opening, volume, closing: undefined };
    this.#slots.set(name, slot);
    opening.then(
      (made) => {
        slot.volume = made;
        this.#logger.info({ volume: name, image, format: made.node.driver }, 'a volume is open');
      },
      () => {
        if (this.#slots.get(name) === slot) this.#slots.delete(name);
      },
    );
    return slot;
  }

  #makeVolume(name: string, image: string, node: BlockNode): Volume {
    const metrics = this.#options.metrics ?? silentMetrics;
    const pool = this.#options.pools?.get(name);
    return new Volume({ name, image, node, pool, logger: this.#logger, metrics });
  }

  grant(claims: VolumeClaims): Uint8Array {
    this.#find(claims.volume);
    if (!vmName.test(claims.vm)) {
      throw new PolyvisorError('invalid-argument', { what: 'no name of a VM', which: claims.vm });
    }
    return this.#capabilities.grant(claims);
  }

  attach(stream: BlockServerStream, requireVm: (vm: string) => void): void {
    new Attachment(stream, {
      logger: this.#logger,
      open: (capability) => {
        const { volume, vm, access } = this.#capabilities.open(capability);
        requireVm(vm);
        return { volume: this.#find(volume), access };
      },
    });
  }

  #find(name: string): Volume {
    const slot = this.#slots.get(name);
    if (slot?.volume !== undefined && slot.closing === undefined) return slot.volume;
    throw new PolyvisorError('not-found', { what: 'no such volume', which: name });
  }

  list(): VolumeInfoInput[] {
    return [...this.#slots.values()].flatMap(({ volume }) =>
      volume === undefined ? [] : [volume.describe()],
    );
  }

  async resize(volume: string, size: number, shrink: boolean): Promise<void> {
    await this.#find(volume).resize(size, shrink);
    this.#logger.info({ volume, size }, 'a volume was resized');
  }

  async closeVolume(name: string): Promise<void> {
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    slot.closing ??= slot.opening
      .then((volume) => volume.close())
      .finally(() => {
        this.#slots.delete(name);
        this.#logger.info({ volume: name }, 'a volume is closed');
      });
    await slot.closing;
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#slots.keys()].map((name) => this.closeVolume(name))).then(() => {
      for (const pool of this.#options.pools?.values() ?? []) pool.close();
    });
    return this.#closing;
  }
}
