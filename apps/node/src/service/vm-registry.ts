import { randomBytes } from 'node:crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import type { VmSpec } from '@polyvisor/proto/service/node';
import { NodeVm } from './node-vm.ts';
import type { VmSurroundings } from './node-vm.ts';

/** What VMs may use together. */
export interface NodeCapacity {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** The VMs of a node. */
export interface VmRegistry {
  readonly vms: Iterable<NodeVm>;
  /** @throws PolyvisorError `not-found`. @param vm name or id. */
  get(vm: string): NodeVm;
  /** @throws PolyvisorError `invalid-argument`, `already-exists`, `limit`. */
  create(spec: VmSpec): NodeVm;
  /** @throws PolyvisorError (rejects) `precondition` while it runs, `limit`, and what starting fails with. */
  start(vm: NodeVm): Promise<void>;
  /** @throws PolyvisorError (rejects) `precondition` while it runs, without `force`. */
  remove(vm: NodeVm, force: boolean): Promise<void>;
  /** What VMs that run use. */
  readonly used: NodeCapacity;
  /** Starts what a node before has left running, if its policy says so. */
  recover(): void;
  /** Ends all processes; which VMs are wanted stays on record. */
  close(): Promise<void>;
}

const vmNameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const splits: readonly string[] = ['', 'shared', 'stream'];

/** Opens the VMs that are on record. */
export function createVmRegistry(capacity: NodeCapacity, around: VmSurroundings): VmRegistry {
  const vms = new Map(around.store.vms().map((record) => [record.id, new NodeVm(record, around)]));

  function used(): NodeCapacity {
    const live = [...vms.values()].filter(({ live: running }) => running);
    return {
      cpus: live.reduce((sum, { record }) => sum + record.cpus, 0),
      memoryBytes: live.reduce((sum, { record }) => sum + record.memoryBytes, 0),
    };
  }

  function checkSpec({ name, split, devicesEndpoint, blockEndpoint }: VmSpec): void {
    if (!vmNameForm.test(name)) {
      throw new PolyvisorError('invalid-argument', {
        what: 'spec.name: bad name of a VM',
        which: name === '' ? '(empty)' : name,
        limit: '1 to 63 letters, digits, dots, dashes and underscores',
      });
    }
    if (!splits.includes(split)) {
      throw new PolyvisorError(split === 'in-process' ? 'unsupported' : 'invalid-argument', {
        what: 'spec.split: not a way to attach devices here',
        which: split,
        limit: 'shared, stream, or empty',
      });
    }
    if (devicesEndpoint !== '' || blockEndpoint !== '') {
      throw new PolyvisorError('unsupported', {
        what: 'spec.devices_endpoint, spec.block_endpoint: processes elsewhere are not supervised yet',
      });
    }
  }

  return {
    get vms() {
      return vms.values();
    },
    get used() {
      return used();
    },
    get(vm) {
      const found = vms.get(vm) ?? [...vms.values()].find(({ record }) => record.name === vm);
      if (found !== undefined) return found;
      throw new PolyvisorError('not-found', {
        what: 'no such VM',
        which: vm,
        hint: 'list them with: polyvisor ps',
      });
    },
    create(spec) {
      checkSpec(spec);
      const { cpus, memoryBytes } = around.reader.check(spec.machineYaml);
      checkFit('needs', { cpus, memoryBytes }, 'the node has', capacity);
      const record = {
        id: randomBytes(6).toString('hex'),
        name: spec.name,
        spec: JSON.stringify({ ...spec, labels: Object.fromEntries(spec.labels) }),
        cpus,
        memoryBytes,
        state: 'stopped' as const,
        reason: 'new',
        wanted: false,
        createdMs: Date.now(),
        startedMs: 0,
        restarts: 0,
        exitStatus: undefined,
      };
      around.store.insertVm(record);
      const vm = new NodeVm(record, around);
      vms.set(record.id, vm);
      around.tell(record.id, 'created', spec.name);
      return vm;
    },
    async start(vm) {
      if (vm.live) {
        const { name, state } = vm.record;
        throw new PolyvisorError('precondition', { what: 'the VM runs already', which: name, limit: state });
      }
      const { cpus, memoryBytes } = used();
      const free = { cpus: capacity.cpus - cpus, memoryBytes: capacity.memoryBytes - memoryBytes };
      checkFit('needs', vm.record, 'free on this node are', free);
      await vm.start();
    },
    async remove(vm, force) {
      if (vm.live && !force) {
        throw new PolyvisorError('precondition', {
          what: 'the VM runs',
          which: vm.record.name,
          limit: vm.record.state,
          hint: 'stop it first, or use force',
        });
      }
      await vm.stop();
      vms.delete(vm.record.id);
      around.store.deleteVm(vm.record.id);
      vm.forget();
      around.tell(vm.record.id, 'deleted', vm.record.name);
    },
    recover() {
      for (const vm of vms.values()) vm.recover();
    },
    async close() {
      await Promise.all([...vms.values()].map((vm) => vm.leave()));
    },
  };
}

function checkFit(verb: string, need: NodeCapacity, have: string, room: NodeCapacity): void {
  const mebi = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)} MiB`;
  if (need.cpus > room.cpus) {
    throw new PolyvisorError('limit', {
      what: `the VM ${verb} ${need.cpus} CPUs`,
      limit: `${have} ${room.cpus}`,
      hint: 'see: polyvisor serve node --help, --cpus',
    });
  }
  if (need.memoryBytes > room.memoryBytes) {
    throw new PolyvisorError('limit', {
      what: `the VM ${verb} ${mebi(need.memoryBytes)} of memory`,
      limit: `${have} ${mebi(room.memoryBytes)}`,
      hint: 'see: polyvisor serve node --help, --memory',
    });
  }
}
