import { writeSync } from 'node:fs';
import { blockService } from '@polyvisor/proto/service/block';
import { createEpochs, openPoolDeviceSide, openRemoteDisk } from '../../src/block/index.ts';
import { connect } from '../../src/channel/index.ts';

/*
 * A device host as a process of its own: it writes its stamps to places all over the disk and tells of each that was
 * acknowledged. It gets its task as JSON in its last argument and, with a pool, descriptors 3 to 5.
 */

/** What the process is told. */
export interface DeviceHostTask {
  readonly endpoint: string;
  readonly token: string;
  /** Base64. */
  readonly capability: string;
  readonly generation: number;
  readonly firstStamp: number;
  readonly dataBytes?: number;
}

/** Nothing of it waits in this process: what was begun is known even if the process is killed. */
function say(line: string): void {
  writeSync(1, line);
}

const CELL_BYTES = 4096;
const DEPTH = 8;

const task = JSON.parse(process.argv.at(-1) ?? '') as DeviceHostTask;
const { endpoint, token, capability, generation, firstStamp, dataBytes } = task;
const connection = connect(endpoint, blockService, { identity: { token } });
const disk = await openRemoteDisk({
  connect: () => connection.call.attach(),
  capability: Buffer.from(capability, 'base64'),
  epochs: createEpochs(generation),
  ...(dataBytes === undefined
    ? {}
    : { pool: openPoolDeviceSide({ poolFd: 3, wakeFd: 4, peerFd: 5, dataBytes }) }),
});
say('attached\n');
const cells = disk.sizeBytes / CELL_BYTES;
let stamp = firstStamp;

/** Each has its own part of the disk. */
async function write(part: number): Promise<void> {
  for (;;) {
    const cell = part + DEPTH * Math.floor(Math.random() * (cells / DEPTH));
    const own = stamp++;
    say(`begin ${cell} ${own}\n`);
    await disk.write(cell * CELL_BYTES, new Uint8Array(new Uint32Array(CELL_BYTES / 4).fill(own).buffer));
    say(`done ${cell} ${own}\n`);
  }
}

await Promise.all(Array.from({ length: DEPTH }, (_, part) => write(part))).catch((error: unknown) => {
  say(`failed ${String(error)}\n`);
});
