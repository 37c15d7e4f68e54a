import type { CommandContext } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { toJson } from '../../node/format-node.ts';
import type { NodeClient } from '../../node/node-client.ts';
import { requestId, withNode } from '../../node/node-client.ts';

type Change = 'startVm' | 'stopVm' | 'pauseVm' | 'resumeVm' | 'resetVm' | 'deleteVm';

/** `polyvisor start|stop|pause|resume|reset|rm VM...`: one after another; the first failure ends it. */
export async function changeVm(change: Change, { options, operands }: CommandContext): Promise<number> {
  const json = optionText(options, 'format') === 'json';
  return withNode(options, async (client) => {
    for (const vm of operands) {
      const result = await act(client, change, vm, options['force'] === true);
      process.stdout.write(json ? `${toJson(result)}\n` : `${vm}\n`);
    }
    return 0;
  });
}

function act(client: NodeClient, change: Change, vm: string, force: boolean): Promise<object> {
  const request = { requestId: requestId(), vm };
  if (change === 'deleteVm') return client.deleteVm({ ...request, force });
  return client[change](request);
}
