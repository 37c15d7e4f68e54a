import { PolyvisorError } from '@polyvisor/contracts';
import type { Logger } from '@polyvisor/contracts';
import { createServer, formatEndpoint, listenUnix, permissions } from '@polyvisor/rpc/channel';
import type { Permissions, ServerIdentity, TlsFiles } from '@polyvisor/rpc/channel';
import { createProcessLogger } from './process-logger.ts';
import type { ProcessMetrics } from './process-metrics.ts';
import type { LogLevel, ProcessRole } from './process-setup.ts';
import { publicKeyOf } from './process-setup.ts';
import type { RoleSurroundings } from './role-services.ts';
import { roleServices } from './role-services.ts';
import { openSetupChannel } from './setup-channel.ts';

/** What somebody says who starts a process by hand. */
export interface StandaloneOptions {
  readonly role: ProcessRole;
  readonly listen: readonly string[];
  readonly tls?: TlsFiles;
  /** TCP without TLS, on loopback addresses. */
  readonly insecure: boolean;
  readonly metrics?: string;
  readonly logLevel: LogLevel;
}

/** How long calls under way may take at the end. */
const GRACE_MS = 1_000;

/**
 * Serves a role for a supervisor, until it says so or goes away.
 * @param fd the pipe that the setup comes through.
 * @returns the process's exit status.
 */
export async function serveSupervised(fd: number): Promise<number> {
  const { setup, send, gone } = await openSetupChannel(fd);
  const { role, vm, tokens, inherited } = setup;
  const logger = createProcessLogger(setup.logLevel, { role, vm });
  try {
    const confinement = setup.confined ? await confineSelf(logger) : [];
    const served = await serveRole(
      {
        role,
        listen: setup.listen,
        identity: { tokens: { publicKey: publicKeyOf(setup), audience: setup.audience }, vm },
        insecure: false,
        permissions,
        metrics: setup.metrics,
        logger,
      },
      {
        vm,
        toPeer: (peer) => {
          const token = tokens[peer];
          return token === undefined ? {} : { identity: { token } };
        },
        capabilityKey:
          setup.capabilityKey === undefined ? undefined : Buffer.from(setup.capabilityKey, 'base64'),
        generation: setup.generation,
        inherited,
        pools: setup.pools ?? {},
        logger,
      },
    );
    send({ kind: 'ready', endpoints: served.endpoints, confinement });
    await untilAsked(gone);
    await served.close();
    return 0;
  } catch (error) {
    const code = error instanceof PolyvisorError ? error.code : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    logger.error({ err: error }, 'the process can not start');
    send({ kind: 'failed', code, message });
    // What was sent must arrive.
    await new Promise((resolve) => setTimeout(resolve, 50));
    return 1;
  }
}

/**
 * Serves a role for whoever may connect, until a signal.
 * @returns the process's exit status.
 */
export async function serveStandalone(
  options: StandaloneOptions,
  say: (line: string) => void,
): Promise<number> {
  const { role, listen, tls, insecure, metrics, logLevel } = options;
  const logger = createProcessLogger(logLevel, { role });
  const served = await serveRole(
    {
      role,
      listen,
      // Whoever reaches a socket of mode 0600, or insecure loopback, is this user.
      identity: { anonymous: 'admin', ...(tls === undefined ? {} : { tls }) },
      insecure,
      permissions: withAdmin(permissions),
      metrics,
      logger,
    },
    {
      vm: undefined,
      toPeer: () => ({ ...(tls === undefined ? {} : { identity: { tls } }), insecure }),
      capabilityKey: undefined,
      generation: 0,
      inherited: undefined,
      pools: {},
      logger,
    },
  );
  for (const endpoint of served.endpoints) say(`serving ${role} on ${endpoint}`);
  await untilAsked(new Promise(() => {}));
  await served.close();
  return 0;
}

/** Whoever starts a process by hand may call everything. */
function withAdmin(table: Permissions): Permissions {
  return new Map([...table].map(([path, allowed]) => [path, new Set([...allowed, 'admin' as const])]));
}

interface ServeOptions {
  readonly role: ProcessRole;
  readonly listen: readonly string[];
  readonly identity: ServerIdentity;
  readonly insecure: boolean;
  readonly permissions: Permissions;
  readonly metrics: string | undefined;
  readonly logger: Logger;
}

async function serveRole(
  options: ServeOptions,
  around: Omit<RoleSurroundings, 'metrics'>,
): Promise<{ endpoints: readonly string[]; close(): Promise<void> }> {
  const { role, listen, identity, insecure, logger } = options;
  const figures: { read?: () => Readonly<Record<string, number>> } = {};
  const metrics = await openMetrics(options, () => figures.read?.() ?? {});
  const services = await roleServices[role]({ ...around, metrics });
  if (services.figures !== undefined) figures.read = () => services.figures?.() ?? {};
  const server = await createServer({
    listen,
    services: services.services,
    identity,
    insecure,
    permissions: options.permissions,
    logger,
    metrics,
  });
  return {
    endpoints: server.endpoints.map(formatEndpoint),
    async close() {
      // Streams end with what stands behind them, and then nothing is under way.
      await services.close();
      await server.close(GRACE_MS);
    },
  };
}

async function openMetrics(
  { role, metrics: path, identity }: ServeOptions,
  read: () => Readonly<Record<string, number>>,
): Promise<ProcessMetrics> {
  const { createMetricsServer, createProcessMetrics } = await import('./process-metrics.ts');
  const metrics = createProcessMetrics(
    { role, ...(identity.vm === undefined ? {} : { vm: identity.vm }) },
    read,
  );
  if (path !== undefined) {
    const server = createMetricsServer(() => metrics.text());
    await listenUnix(server, path);
    server.unref();
  }
  return metrics;
}

/** @returns the mechanisms that hold. */
async function confineSelf(logger: Logger): Promise<readonly string[]> {
  const { finishConfinement } = await import('@polyvisor/confine');
  // The supervisor decides how loud it is about what a kernel lacks.
  const quiet: Logger = {
    debug: (fields, text) => logger.debug(fields, text),
    info: (fields, text) => logger.info(fields, text),
    warn: (fields, text) => logger.info(fields, text),
    error: (fields, text) => logger.error(fields, text),
  };
  const { applied } = finishConfinement(quiet);
  return applied.map(({ mechanism }) => mechanism);
}

function untilAsked(gone: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve());
    void gone.then(resolve);
  });
}
