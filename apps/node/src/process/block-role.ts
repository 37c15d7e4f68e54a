import { createPrivateKey } from 'node:crypto';
import { createBlockServer, openPoolBlockSide } from '@polyvisor/rpc/block';
import type { RoleServices, RoleSurroundings } from './role-services.ts';

/** Services of a block host. @throws PolyvisorError `corrupt`, `unsupported`, `io` for inherited pools. */
export function openBlockRole(around: RoleSurroundings): Promise<RoleServices> {
  const { capabilityKey, pools, logger, metrics } = around;
  const server = createBlockServer({
    logger,
    metrics,
    pools: new Map(Object.entries(pools).map(([volume, pool]) => [volume, openPoolBlockSide(pool)])),
    ...(capabilityKey === undefined
      ? {}
      : { key: createPrivateKey({ key: capabilityKey, format: 'der', type: 'pkcs8' }) }),
  });
  return Promise.resolve({ services: [server.service], close: () => server.close() });
}
