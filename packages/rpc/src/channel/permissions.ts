import { PolyvisorError } from '@polyvisor/contracts';
import type { Identity, Role } from './identity.ts';
import { roles } from './identity.ts';

const migrating = ['node', 'migration'] as const;
const everybody = roles;

/**
 * Who may call what: service, method, roles. What isn't here is refused. proto/polyvisor says why; gRPC's own services
 * tell nothing of VMs.
 */
const table: Readonly<Record<string, Readonly<Record<string, readonly Role[]>>>> = {
  'polyvisor.cpu.v1.VmmService': {
    Create: ['node'],
    Run: migrating,
    Pause: migrating,
    Reset: ['node'],
    Stop: ['node'],
    Watch: migrating,
    Inspect: migrating,
    AttachDevices: migrating,
    SaveState: migrating,
    LoadState: migrating,
    ReadMemory: ['migration'],
    WriteMemory: ['migration'],
    DirtyLog: ['migration'],
  },
  'polyvisor.device.v1.DeviceService': {
    Create: ['node'],
    Attach: ['vmm'],
    Console: ['node'],
    Inspect: ['node', 'vmm'],
  },
  'polyvisor.block.v1.BlockService': {
    Open: ['node'],
    Close: ['node'],
    Grant: ['node'],
    Attach: ['devices'],
    List: ['node'],
    Resize: ['node'],
  },
  'polyvisor.node.v1.NodeService': {
    CreateVm: ['admin'],
    StartVm: ['admin'],
    StopVm: ['admin'],
    PauseVm: ['admin'],
    ResumeVm: ['admin'],
    ResetVm: ['admin'],
    DeleteVm: ['admin'],
    ListVms: ['admin'],
    GetVm: ['admin'],
    Console: ['admin'],
    Logs: ['admin'],
    Events: ['admin'],
    GetNode: ['admin'],
    Top: ['admin'],
  },
  'grpc.health.v1.Health': { Check: everybody, Watch: everybody },
  'grpc.reflection.v1.ServerReflection': { ServerReflectionInfo: everybody },
  'grpc.reflection.v1alpha.ServerReflection': { ServerReflectionInfo: everybody },
};

const byPath: ReadonlyMap<string, ReadonlySet<Role>> = new Map(
  Object.entries(table).flatMap(([service, methods]) =>
    Object.entries(methods).map(([method, allowed]) => [`/${service}/${method}`, new Set(allowed)] as const),
  ),
);

/** Roles by path of the method, `/polyvisor.block.v1.BlockService/Open`. */
export type Permissions = ReadonlyMap<string, ReadonlySet<Role>>;

/** The one table. */
export const permissions: Permissions = byPath;

/**
 * @throws PolyvisorError `permission` unless the identity's role may call the method.
 */
export function checkPermission(allowed: Permissions, path: string, identity: Identity): void {
  if (allowed.get(path)?.has(identity.role) === true) return;
  throw new PolyvisorError('permission', {
    what: 'not allowed to call',
    which: path,
    limit: `role ${identity.role}`,
  });
}
