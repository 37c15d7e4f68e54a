export { confine, finishConfinement } from './confine.ts';
export { describeMechanisms } from './mechanisms.ts';
export type { MechanismState } from './mechanisms.ts';
export { checkPolicy } from './policy.ts';
export type {
  ConfinedRole,
  ConfinementLimits,
  ConfinementPolicy,
  PathGrants,
  SocketGrants,
} from './policy.ts';
export type { ConfinementReport, Mechanism, MechanismNote } from './report.ts';
export { blockHostPolicy, deviceHostPolicy, vmmPolicy } from './roles.ts';
export type { BlockHostOptions, DeviceHostOptions, RoleOptions, VmmOptions } from './roles.ts';
export { programFolders } from './runtime-grants.ts';
export { spawnConfined } from './spawn-confined.ts';
export type { ConfinedSpawnOptions } from './spawn-confined.ts';
