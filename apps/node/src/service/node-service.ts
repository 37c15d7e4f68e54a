import { PolyvisorError } from '@polyvisor/contracts';
import type { GetNodeResponseInput, TopResponseInput, VmInput, VmSpec } from '@polyvisor/proto/service/node';
import { nodeService } from '@polyvisor/proto/service/node';
import type { Handlers, ServerStream } from '@polyvisor/rpc/channel';
import type { Answers } from './answers.ts';
import type { ConsoleStore } from './console-store.ts';
import type { EventLog } from './event-log.ts';
import type { NodeVm } from './node-vm.ts';
import { usageOf } from '../vm/process-table.ts';
import type { VmRegistry } from './vm-registry.ts';

export interface NodeServiceOptions {
  readonly registry: VmRegistry;
  readonly events: EventLog;
  readonly answers: Answers;
  /** About the node itself. */
  readonly describe: () => Promise<GetNodeResponseInput>;
}

/** Intervals of `Top` in milliseconds. */
const TOP_MS = { least: 200, usual: 1_000, most: 60_000 };
/** Lines of one message. */
const LOG_LINES = 256;

/** Handlers of polyvisor.node.v1. */
export function createNodeHandlers(options: NodeServiceOptions): Handlers<typeof nodeService> {
  const { registry, events, answers, describe } = options;
  type Change = { readonly requestId: string; readonly vm: string };
  const change =
    (method: 'startVm' | 'stopVm' | 'pauseVm' | 'resumeVm' | 'resetVm', act: (vm: NodeVm) => Promise<void>) =>
    (request: Change): Promise<{ vm?: VmInput | undefined }> =>
      answers.once<unknown, { vm?: VmInput | undefined }>(
        request.requestId,
        nodeService[method],
        async () => {
          const vm = registry.get(request.vm);
          await act(vm);
          return { vm: vm.describe() };
        },
      );

  return {
    createVm: ({ requestId, spec }) =>
      answers.once(requestId, nodeService.createVm, async () => {
        if (spec === undefined) throw new PolyvisorError('invalid-argument', { what: 'spec is missing' });
        return Promise.resolve({ vm: registry.create(spec).describe() });
      }),
    startVm: change('startVm', (vm) => registry.start(vm)),
    // The guest has nothing that could be asked: the plug is pulled.
    stopVm: change('stopVm', (vm) => vm.stop()),
    pauseVm: change('pauseVm', (vm) => vm.pause()),
    resumeVm: change('resumeVm', (vm) => vm.resume()),
    resetVm: change('resetVm', (vm) => vm.reset()),
    deleteVm: ({ requestId, vm, force }) =>
      answers.once(requestId, nodeService.deleteVm, async () => {
        await registry.remove(registry.get(vm), force);
        return {};
      }),
    listVms: ({ labels }) => {
      const wanted = [...labels];
      const fits = (spec: VmSpec): boolean => wanted.every(([key, value]) => spec.labels.get(key) === value);
      return { vms: [...registry.vms].filter(({ spec }) => fits(spec)).map((vm) => vm.describe()) };
    },
    getVm: ({ vm }) => ({ vm: registry.get(vm).describe() }),
    console: (stream) => serveConsole(stream, registry),
    logs: async ({ vm, follow, tail }, stream, context) => {
      const { log } = registry.get(vm);
      const lines = log.tail(tail);
      for (let at = 0; at < lines.length; at += LOG_LINES)
        stream.send({ lines: lines.slice(at, at + LOG_LINES) });
      if (!follow) return;
      let full = false;
      stream.onDrain(() => (full = false));
      // Who is slow misses lines; the file has them.
      const end = log.follow((line) => {
        if (!full) full = !stream.send({ lines: [line] });
      });
      await untilGone(stream, context.signal);
      end();
    },
    events: async ({ sinceMs, follow, vm }, stream, context) => {
      const id = vm === '' ? undefined : registry.get(vm).record.id;
      let last = 0;
      const send = (event: {
        sequence: number;
        vm: string;
        timeMs: number;
        kind: string;
        message: string;
      }): void => {
        if (event.sequence <= last) return;
        last = event.sequence;
        if (id === undefined || event.vm === id) stream.send({ event });
      };
      const end = follow ? events.follow(send) : () => {};
      for (const event of events.since(sinceMs)) send(event);
      if (follow) await untilGone(stream, context.signal);
      end();
    },
    getNode: () => describe(),
    top: async ({ intervalMs }, stream, context) => {
      const pause = Math.min(Math.max(intervalMs || TOP_MS.usual, TOP_MS.least), TOP_MS.most);
      const before = new Map<string, Sample>();
      await sample(registry, before);
      for (;;) {
        await Promise.race([
          new Promise((resolve) => setTimeout(resolve, pause)),
          untilGone(stream, context.signal),
        ]);
        if (context.signal.aborted) return;
        stream.send(await sample(registry, before));
      }
    },
  };
}

function untilGone(stream: { closed: Promise<unknown> }, signal: AbortSignal): Promise<unknown> {
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return Promise.race([stream.closed, aborted]);
}

function serveConsole(stream: ServerStream<(typeof nodeService)['console']>, registry: VmRegistry): void {
  let place: { readonly vm: NodeVm; readonly console: ConsoleStore } | undefined;
  let end = (): void => {};
  stream.onMessage(({ vm: name, device, port, input, historyBytes, columns, rows }) => {
    if (place === undefined) {
      try {
        const vm = registry.get(name);
        const console = vm.console(device === '' ? 'serial0' : device, port);
        place = { vm, console };
        const attached = console.listen(historyBytes, {
          write: (output) => stream.send({ output }),
          drop: () =>
            stream.close(new PolyvisorError('limit', { what: 'console reader lags too far behind' })),
        });
        stream.onDrain(() => attached.caughtUp());
        end = () => attached.detach();
      } catch (error) {
        stream.close(error instanceof Error ? error : new Error(String(error)));
        return;
      }
    }
    const { vm, console } = place;
    if (columns > 0 && rows > 0 && columns <= 0xffff && rows <= 0xffff) vm.resizeConsole(columns, rows);
    if (input.length === 0 || console.type(input)) return;
    stream.pause();
    console.onInputRoom(() => stream.resume());
  });
  void stream.closed.then(() => end());
}

interface Sample {
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** Figures that only grow, told per second; all others as they are. */
const GROWING: ReadonlySet<string> = new Set(['instructions', 'tlbMisses', 'fetchMisses', 'slowAccesses']);

async function sample(registry: VmRegistry, before: Map<string, Sample>): Promise<TopResponseInput> {
  const vms = [...registry.vms].filter(({ live }) => live);
  return {
    vms: await Promise.all(
      vms.map(async (vm) => {
        const { id, name, state } = vm.record;
        const figures = await vm.figures();
        const usages = vm.processes.map(({ pid }) => usageOf(pid));
        const now = {
          atMs: performance.now(),
          cpuSeconds: usages.reduce((sum, usage) => sum + (usage?.cpuSeconds ?? 0), 0),
          figures,
        };
        const last = before.get(id);
        before.set(id, now);
        const seconds = last === undefined ? 0 : (now.atMs - last.atMs) / 1000;
        const rate = (after: number, then: number | undefined): number =>
          seconds === 0 ? 0 : Math.max(0, (after - (then ?? 0)) / seconds);
        return {
          vm: id,
          name,
          state,
          cpuPercent: 100 * rate(now.cpuSeconds, last?.cpuSeconds),
          residentBytes: usages.reduce((sum, usage) => sum + (usage?.residentBytes ?? 0), 0),
          figures: new Map(
            Object.entries(figures).map(([key, value]) => [
              key,
              GROWING.has(key) ? rate(value, last?.figures[key]) : value,
            ]),
          ),
        };
      }),
    ),
  };
}
