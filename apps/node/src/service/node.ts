import { rmSync } from 'node:fs';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import type { Server as HttpServer } from 'node:http';
import { describeMechanisms } from '@polyvisor/confine';
import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { nodeService } from '@polyvisor/proto/service/node';
import type { GetNodeResponseInput } from '@polyvisor/proto/service/node';
import { createServer, formatEndpoint, isLoopback, serve } from '@polyvisor/rpc/channel';
import type { TlsFiles } from '@polyvisor/rpc/channel';
import { probeOverlay } from '@polyvisor/shared-memory';
import { createMetricsServer, createProcessMetrics } from '../process/process-metrics.ts';
import type { LogLevel } from '../process/process-setup.ts';
import type { NodeStore } from '../state/node-store.ts';
import { openNodeStore } from '../state/node-store.ts';
import { createAnswers } from './answers.ts';
import { createEventLog } from './event-log.ts';
import type { MachineReader } from './machine-reader.ts';
import { fetchMetrics, mergeMetrics } from './merge-metrics.ts';
import { createNodeHandlers } from './node-service.ts';
import { beganAt, runsThisProgram } from '../vm/process-table.ts';
import type { NodeCapacity, VmRegistry } from './vm-registry.ts';
import { createVmRegistry } from './vm-registry.ts';

export interface NodeOptions {
  /** Folder of the database, logs and consoles. */
  readonly state: string;
  readonly listen: readonly string[];
  readonly tls?: TlsFiles;
  readonly insecure: boolean;
  /** `address:port`, loopback. */
  readonly metrics?: string;
  /** What VMs may use together; default: this machine's CPUs, and all of its memory but an eighth. */
  readonly capacity?: Partial<NodeCapacity>;
  readonly reader: MachineReader;
  /** Node, its options, and the script with a `serve` command. */
  readonly command: readonly string[];
  readonly confine: boolean;
  readonly version: string;
  readonly logLevel: LogLevel;
  readonly logger: Logger;
}

/** A node that serves. */
export interface Node {
  readonly endpoints: readonly string[];
  /** Where figures are, if they are. */
  readonly metrics: string | undefined;
  /** Ends all VMs and waits for it. Idempotent. */
  close(): Promise<void>;
}

const GRACE_MS = 1_000;

/**
 * Starts a node: what an earlier one has left is put in order, then it serves.
 * @throws PolyvisorError (rejects) `busy` when another node serves there; see `createServer`, `openNodeStore`.
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { logger, listen, tls, insecure, state } = options;
  const capacity: NodeCapacity = {
    cpus: options.capacity?.cpus ?? availableParallelism(),
    memoryBytes: options.capacity?.memoryBytes ?? Math.floor((totalmem() / 8) * 7),
  };
  const store = openNodeStore(state);
  const events = createEventLog(store);
  const registry = createVmRegistry(capacity, {
    store,
    reader: options.reader,
    folder: join(state, 'vms'),
    command: options.command,
    confine: options.confine,
    logLevel: options.logLevel,
    logger,
    tell(vm, kind, message) {
      logger.info({ vm, kind }, message);
      events.tell(vm, kind, message);
    },
  });
  const metrics = createProcessMetrics({ role: 'node' }, () => figuresOf(registry));
  const handlers = createNodeHandlers({
    registry,
    events,
    answers: createAnswers(store),
    describe: () => describeNode(options.version, capacity, registry),
  });
  try {
    const server = await createServer({
      listen,
      services: [serve(nodeService, handlers)],
      // Who reaches a socket of mode 0600 is this user.
      identity: { anonymous: 'admin', ...(tls === undefined ? {} : { tls }) },
      insecure,
      logger,
      metrics,
    });
    // Only now is it certain that no other node has these VMs.
    await endSurvivors(store, logger);
    registry.recover();
    const exporter = await exportMetrics(options.metrics, registry, () => metrics.text());
    let closing: Promise<void> | undefined;
    return {
      endpoints: server.endpoints.map(formatEndpoint),
      metrics: exporter?.address,
      close: () =>
        (closing ??= (async () => {
          exporter?.server.close();
          await Promise.all([server.close(GRACE_MS), registry.close()]);
          store.close();
        })()),
    };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Processes of VMs end when their node does; one that was stopped, or hangs, may have outlived it. */
async function endSurvivors(store: NodeStore, logger: Logger): Promise<void> {
  const left = store.processes();
  const alive = left.filter(({ pid, began }) => beganAt(pid) === began && runsThisProgram(pid));
  for (const { pid, role, vm } of alive) {
    logger.warn({ pid, role, vm }, 'a process has outlived its node: it is killed');
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
  const gone = (): boolean => alive.every(({ pid, began }) => beganAt(pid) !== began);
  for (let tries = 0; tries < 100 && !gone(); tries++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  for (const { vm, folder } of left) {
    if (/^polyvisor-[A-Za-z0-9]{6}$/.test(basename(folder))) rmSync(folder, { recursive: true, force: true });
    store.removeProcesses(vm);
  }
}

function figuresOf(registry: VmRegistry): Readonly<Record<string, number>> {
  const vms = [...registry.vms];
  const { cpus, memoryBytes } = registry.used;
  return {
    vms: vms.length,
    vmsLive: vms.filter(({ live }) => live).length,
    usedCpus: cpus,
    usedMemoryBytes: memoryBytes,
    processRestarts: vms
      .flatMap(({ processes }) => processes)
      .reduce((sum, { restarts }) => sum + restarts, 0),
  };
}

async function describeNode(
  version: string,
  capacity: NodeCapacity,
  registry: VmRegistry,
): Promise<GetNodeResponseInput> {
  const overlay = await probeOverlay();
  const { used } = registry;
  return {
    name: hostname(),
    version,
    cpus: capacity.cpus,
    memoryBytes: capacity.memoryBytes,
    usedCpus: used.cpus,
    usedMemoryBytes: used.memoryBytes,
    mechanisms: new Map([
      ['shared memory', overlay.works ? 'yes' : `no: ${overlay.reason}`],
      ...describeMechanisms().map(({ mechanism, available, detail }): [string, string] => [
        mechanism,
        `${available ? 'yes' : 'no'}: ${detail}`,
      ]),
    ]),
  };
}

async function exportMetrics(
  where: string | undefined,
  registry: VmRegistry,
  own: () => Promise<string>,
): Promise<{ server: HttpServer; address: string } | undefined> {
  if (where === undefined) return undefined;
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(where) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || !isLoopback(host)) {
    throw new PolyvisorError('invalid-argument', {
      what: '--metrics: not an address of this machine alone',
      which: where,
      hint: 'write 127.0.0.1:9100',
    });
  }
  const server = createMetricsServer(async () => {
    const sockets = [...registry.vms].flatMap(({ processes }) => processes.map(({ metrics }) => metrics));
    return mergeMetrics(await Promise.all([own(), ...sockets.map(fetchMetrics)]));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new PolyvisorError('io', {
          what: "--metrics: can't listen",
          which: where,
          limit: cause.message,
          cause,
        }),
      ),
    );
    server.listen(Number(port), host, resolve);
  });
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  return { server, address: `http://${bracketed === undefined ? host : `[${host}]`}:${actual}/metrics` };
}
