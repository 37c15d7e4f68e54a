import { randomUUID } from 'node:crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import { nodeService } from '@polyvisor/proto/service/node';
import { connect } from '@polyvisor/rpc/channel';
import type { ServiceClient } from '@polyvisor/rpc/channel';
import type { OptionValues } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { tlsOf } from '../commands/serve.ts';
import { nodeEndpoint, stateFolder } from './state-folder.ts';

export type NodeClient = ServiceClient<typeof nodeService>;

const ANSWER_MS = 3_000;

/**
 * Connects to the node that the options name, does something with it, and closes the connection.
 * @throws PolyvisorError (rejects) `unavailable` with what to do about it; what `work` throws.
 */
export async function withNode<T>(
  options: OptionValues,
  work: (client: NodeClient) => Promise<T>,
): Promise<T> {
  const given = optionText(options, 'node');
  const endpoint = given ?? nodeEndpoint(stateFolder());
  const tls = await tlsOf(options);
  const connection = connect(endpoint, nodeService, {
    ...(tls === undefined ? {} : { identity: { tls, peer: ['node'] } }),
    insecure: options['insecure'] === true,
    // Starting a VM may fetch an image.
    deadlineMs: 300_000,
  });
  try {
    await connection.ready(ANSWER_MS).catch((cause: unknown) => {
      throw new PolyvisorError('unavailable', {
        what: 'no node is running',
        which: endpoint,
        hint:
          given === undefined
            ? 'start one with: polyvisor serve node'
            : 'check --node, and --tls or --insecure for tcp',
        cause,
      });
    });
    return await work(connection.call);
  } finally {
    connection.close();
  }
}

/** For requests that change something. */
export function requestId(): string {
  return randomUUID();
}
