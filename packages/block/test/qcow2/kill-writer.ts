// Writes to the image it is given, two at a time, and says of each one that it is done; until it is killed.
import { writeSync } from 'node:fs';
import { openImage } from '../../src/index.ts';
import { NODE_DRIVERS } from '../../src/node/index.ts';

const [path = '', seed = '1'] = process.argv.slice(2);
const node = await openImage(path, { readOnly: false, format: 'qcow2' }, { drivers: NODE_DRIVERS });
let count = 0;
const lane = async (index: number): Promise<never> => {
  for (;;) {
    const number = count++ * 2 + index;
    // Every write has its own place, in another order each time.
    const block = (number * 769 + Number(seed) * 13) % 4093;
    await node.write(block * 4096, new Uint8Array(4096).fill((number % 255) + 1));
    writeSync(1, `${block} ${(number % 255) + 1}\n`);
  }
};
await Promise.all([lane(0), lane(1)]);
