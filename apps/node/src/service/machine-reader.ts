import type { VmPlan } from '../vm/vm-plan.ts';

/** What a machine's YAML asks of a node. */
export interface MachineNeeds {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Reads machines as `polyvisor run --config` does: there is one schema, and it is the command line's. */
export interface MachineReader {
  /** Checks it without looking for files. @throws PolyvisorError `invalid-argument` naming line and field. */
  check(yaml: string): MachineNeeds;
  /** Finds its files, fetching an image where one is missing. @throws PolyvisorError (rejects). */
  resolve(yaml: string): Promise<VmPlan>;
}
