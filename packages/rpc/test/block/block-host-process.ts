import { createPublicKey } from 'node:crypto';
import { createServer } from '../../src/channel/index.ts';
import { createBlockServer, openPoolBlockSide } from '../../src/block/index.ts';

/*
 * A block host as a process of its own, for tests and benches. It gets its task as JSON in its last argument and, with a
 * pool, descriptors 3 to 5; it writes a line once it serves.
 */

/** What the process is told. */
export interface BlockHostTask {
  readonly listen: string;
  readonly image: string;
  readonly format: string;
  /** PEM. */
  readonly publicKey: string;
  readonly dataBytes?: number;
}

const task = JSON.parse(process.argv.at(-1) ?? '') as BlockHostTask;
const { listen, image, format, publicKey, dataBytes } = task;
const pools =
  dataBytes === undefined
    ? undefined
    : new Map([['disk0', openPoolBlockSide({ poolFd: 3, wakeFd: 4, peerFd: 5, dataBytes })]]);
const blocks = createBlockServer(pools === undefined ? {} : { pools });
await blocks.open({ volume: 'disk0', image, format });
await createServer({
  listen: [listen],
  services: [blocks.service],
  identity: { tokens: { publicKey: createPublicKey(publicKey), audience: 'block' } },
});
process.stdout.write('serving\n');
