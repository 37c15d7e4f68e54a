import type { Vcpu } from '@polyvisor/contracts';
import type { OpenVcpuMessage, VcpuThreadData } from './messages.ts';

/** A vCPU with what its board knows of it, on its thread. */
export interface BoardVcpu {
  readonly vcpu: Vcpu;
  /** Resets it and places it where the control words tell: the hart was started. */
  start(): void;
}

/** What a board's side of a vCPU thread gets. */
export interface BoardVcpuContext {
  readonly data: VcpuThreadData;
  readonly message: OpenVcpuMessage;
  /** Wakes the server of the request ring. */
  readonly wakeServer: () => void;
  /** Obeys a request to park in the middle of an access that waits; comes back when the access is answered at the latest. */
  readonly whileWaiting: (answered: () => boolean) => void;
}

/** Opens the vCPU and wires what lives on its thread. */
export type OpenBoardVcpu = (context: BoardVcpuContext) => Promise<BoardVcpu>;
