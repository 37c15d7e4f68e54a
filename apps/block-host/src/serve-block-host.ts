import type { KeyObject } from 'node:crypto';
import type { Logger, Metrics } from '@polyvisor/contracts';
import type { BlockServer, BlockServerOptions, InheritedPool, PoolBlockSide } from '@polyvisor/rpc/block';
import { createBlockServer, openPoolBlockSide } from '@polyvisor/rpc/block';
import type { Endpoint, Server, ServerIdentity } from '@polyvisor/rpc/channel';
import { createServer } from '@polyvisor/rpc/channel';

/** A volume that is open from the start. */
export interface PresetVolume {
  readonly volume: string;
  readonly image: string;
  /** Driver: `raw`, `qcow2`. Undefined: found out, and raw images refused. */
  readonly format?: string;
  readonly readOnly?: boolean;
  /** Of the driver, by name. */
  readonly options?: ReadonlyMap<string, string>;
}

/** What a block host is told. */
export interface BlockHostSetup {
  /** `unix:/path`, or `tcp:host:port` with TLS. */
  readonly listen: readonly (Endpoint | string)[];
  readonly identity: ServerIdentity;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** TCP without TLS, on loopback addresses. */
  readonly insecure?: boolean;
  readonly volumes?: readonly PresetVolume[];
  /** Descriptors of pools that this process has inherited, by volume. */
  readonly pools?: Readonly<Record<string, InheritedPool>>;
  /** Signs capabilities: private, Ed25519. Made unless given; earlier capabilities are void then. */
  readonly capabilityKey?: KeyObject;
  /** What images may be opened with, and where they must lie. */
  readonly environment?: BlockServerOptions['environment'];
}

/** A block host that serves. */
export interface BlockHost {
  readonly endpoints: readonly Endpoint[];
  readonly blocks: BlockServer;
  readonly server: Server;
  /** Ends streams, waits for operations under way, flushes and closes images. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves disk images. Volumes of the setup are open, and their locks held, before anybody can connect.
 * @throws PolyvisorError of opening (`not-found`, `busy`, `corrupt`, ...), of listening, or of pools; nothing is left
 * open then.
 */
export async function serveBlockHost(setup: BlockHostSetup): Promise<BlockHost> {
  const { listen, identity, logger, metrics, insecure, volumes, pools, capabilityKey, environment } = setup;
  const sides = new Map<string, PoolBlockSide>();
  let blocks: BlockServer | undefined;
  try {
    for (const [volume, pool] of Object.entries(pools ?? {})) sides.set(volume, openPoolBlockSide(pool));
    blocks = createBlockServer({
      logger,
      metrics,
      pools: sides,
      ...(capabilityKey === undefined ? {} : { key: capabilityKey }),
      ...(environment === undefined ? {} : { environment }),
    });
    for (const volume of volumes ?? []) await blocks.open(volume);
    const server = await createServer({
      listen,
      services: [blocks.service],
      identity,
      logger,
      metrics,
      ...(insecure === undefined ? {} : { insecure }),
    });
    const opened = blocks;
    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      await opened.close();
      await server.close();
    };
    return { endpoints: server.endpoints, blocks, server, close: () => (closing ??= close()) };
  } catch (error) {
    if (blocks === undefined) for (const side of sides.values()) side.close();
    else await blocks.close();
    throw error;
  }
}
