import { PolyvisorError } from '@polyvisor/contracts';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { openHart } from '../boards/riscv-virt/open-hart.ts';
import type { BoardVcpu, OpenBoardVcpu } from './board-vcpu.ts';
import {
  BELL,
  COMMAND,
  COMMAND_EXIT,
  COMMAND_HOLD,
  COMMAND_PARK,
  CONTROL_WORDS,
  HART_START_PENDING,
  HART_STARTED,
  HART_STATE,
  HART_STOPPED,
  PARK_REQUEST,
} from './control-words.ts';
import type { OpenVcpuMessage, VcpuStateMessage, VcpuThreadData, VcpuThreadMessage } from './messages.ts';

/*
 * A vCPU's thread. Its modules are on the way to the first guest instruction, so it imports little.
 * It never returns to its event loop while the machine runs: all that it is told then comes through shared words.
 */

const BOARDS: Readonly<Record<OpenVcpuMessage['board'], OpenBoardVcpu>> = { 'riscv-virt': openHart };

const data = workerData as VcpuThreadData;
const { control, index } = data;
const base = index * CONTROL_WORDS;

// Whatever is wrong with it is told when it is needed.
if (data.preload !== undefined) import(data.preload).catch(() => {});

parentPort?.once('message', (message: OpenVcpuMessage) => {
  void live(message);
});

async function live(message: OpenVcpuMessage): Promise<void> {
  try {
    const board = await BOARDS[message.board]({
      data,
      message,
      wakeServer: () => post(null),
      whileWaiting: parkInAccess,
    });
    post({ kind: 'opened' });
    await obey(board);
    board.vcpu.close();
  } catch (error) {
    post({ kind: 'failed', error: asError(error) });
    await obey(undefined);
  }
  parentPort?.close();
}

/** Last request to park that was answered. */
let parked = 0;

function answerPark(): void {
  const request = Atomics.load(control, base + PARK_REQUEST);
  if (request === parked) return;
  parked = request;
  post({ kind: 'parked', request });
}

/** How often an access that waits in a parked thread looks for its answer. */
const PARKED_LOOK_MS = 10;

/**
 * A device is away in the middle of an access, and the machine shall stand still: this thread does already. Once the
 * access is answered it leaves `run`, having been kicked, and parks like any other.
 */
function parkInAccess(answered: () => boolean): void {
  for (;;) {
    const bell = Atomics.load(control, base + BELL);
    if (Atomics.load(control, base + COMMAND) !== COMMAND_HOLD || answered()) return;
    answerPark();
    Atomics.wait(control, base + BELL, bell, PARKED_LOOK_MS);
  }
}

/** Does what the control words tell until they tell to exit; without a vCPU it only answers. */
async function obey(board: BoardVcpu | undefined): Promise<void> {
  let runnable = board;
  let hasRun = false;
  for (;;) {
    // Read before all other words: a change after it makes the wait below return at once.
    const bell = Atomics.load(control, base + BELL);
    const command = Atomics.load(control, base + COMMAND);
    if (command === COMMAND_EXIT) return;
    if (command === COMMAND_PARK || command === COMMAND_HOLD) {
      answerPark();
      const asked = receiveMessageOnPort(parentPort as MessagePort);
      if (asked !== undefined) {
        // Only here does the thread let go for a moment: what saves a state is loaded when somebody asks.
        post(await answer(board, (asked as { readonly message: VcpuStateMessage }).message));
        continue;
      }
    } else if (runnable !== undefined && isStarted(runnable)) {
      if (!hasRun) post({ kind: 'running', atMs: performance.timeOrigin + performance.now() });
      hasRun = true;
      if (!runOnce(runnable)) runnable = undefined;
      continue;
    }
    Atomics.wait(control, base + BELL, bell);
  }
}

async function answer(board: BoardVcpu | undefined, message: VcpuStateMessage): Promise<VcpuThreadMessage> {
  try {
    if (board === undefined)
      throw new PolyvisorError('internal', { what: 'vCPU was not opened', which: `${index}` });
    await board.vcpu.prepareState?.();
    if (message.kind === 'save') return { kind: 'saved', section: board.vcpu.save() };
    board.vcpu.load(message.section);
    return { kind: 'loaded' };
  } catch (error) {
    const code = error instanceof PolyvisorError ? error.code : 'internal';
    return { kind: 'refused', code, message: asError(error).message };
  }
}

function isStarted(board: BoardVcpu): boolean {
  const state = Atomics.load(control, base + HART_STATE);
  if (state !== HART_START_PENDING) return state === HART_STARTED;
  board.start();
  // A stop that came meanwhile can only be this hart's own: nobody else stops it.
  Atomics.store(control, base + HART_STATE, HART_STARTED);
  return true;
}

/** Runs guest code until there is something to look at; false when the vCPU is of no more use. */
function runOnce({ vcpu }: BoardVcpu): boolean {
  try {
    const exit = vcpu.run();
    if (exit === 'halted' || exit === 'shutdown') {
      // Unless another hart has started this one again by now.
      Atomics.compareExchange(control, base + HART_STATE, HART_STARTED, HART_STOPPED);
    } else if (exit !== 'kicked') {
      throw new PolyvisorError('internal', { what: 'vCPU gave up', which: `${index}`, limit: exit });
    }
    return true;
  } catch (error) {
    post({ kind: 'failed', error: asError(error) });
    return false;
  }
}

function post(message: VcpuThreadMessage): void {
  parentPort?.postMessage(message);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
