import { expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import type { BlockNode } from '../../src/graph/block-node.ts';
import type { OpenContext } from '../../src/graph/driver.ts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import type { CipherHeader, ClusterCipher } from '../../src/qcow2/cluster-cipher.ts';
import { createQcow2 } from '../../src/qcow2/create-qcow2.ts';
import { openQcow2 } from '../../src/qcow2/open-qcow2.ts';
import type { Qcow2Node } from '../../src/qcow2/qcow2-node.ts';
import { contextOf, expectSound, KeptNode } from './images.ts';

const SIZE = 1024 * 1024;
const values = { 'encrypt.format': 'luks', 'encrypt.key-secret': 'key', cluster_size: 4096 };
const context: OpenContext = { ...contextOf(), secret: async () => new Uint8Array([42]) };

/** Every sector gets another pad, by where it lies in the file. */
async function openPad(secret: Uint8Array, header: CipherHeader): Promise<ClusterCipher> {
  const pad = new Uint8Array(1);
  await header.read(100, pad);
  const apply = (offset: number, data: Uint8Array): void => {
    expect(offset % 512).toBe(0);
    expect(data.length % 512).toBe(0);
    for (let i = 0; i < data.length; i++)
      data[i]! ^= (((offset + i) >>> 9) * 31 + pad[0]! + secret[0]!) & 0xff;
  };
  return { numbering: 'host', encrypt: apply, decrypt: apply };
}

const open = (file: BlockNode): Promise<Qcow2Node> =>
  openQcow2(new KeptNode(file), { readOnly: false, values: { 'encrypt.key-secret': 'key' } }, context, {
    openCipher: (secret) => (header) => openPad(secret, header),
  });

const create = (file: BlockNode, size: number): Promise<void> =>
  createQcow2(file, { size, values }, context, {
    createCipher: () => async () => new Uint8Array(9000).fill(5),
  });

for (const backed of [false, true]) {
  let file = new MemoryNode();
  describeBlockNode(
    `qcow2, encrypted${backed ? ', with subclusters' : ''}`,
    async (size) => {
      file = new MemoryNode({ growable: true });
      const more = backed ? { extended_l2: true, cluster_size: 16384 } : {};
      await createQcow2(file, { size, values: { ...values, ...more } }, context, {
        createCipher: () => async () => new Uint8Array(9000).fill(5),
      });
      return open(file);
    },
    {
      size: SIZE,
      runs: 15,
      granule: 512,
      reopen: () => open(file),
      verify: (node) => expectSound(node as Qcow2Node),
    },
  );
}

test('data is nowhere in clear, and the key is needed', async () => {
  const file = new MemoryNode({ growable: true });
  await create(file, SIZE);
  const node = await open(file);
  await node.write(0, new Uint8Array(8192).fill(0x77));
  await node.close();
  const bytes = new Uint8Array(file.size);
  await file.read(0, bytes);
  for (let at = 0; at < bytes.length; at += 512) {
    expect(bytes.subarray(at, at + 512).every((byte) => byte === 0x77)).toBe(false);
  }
  const options = { readOnly: false, values: {} };
  await expect(openQcow2(new KeptNode(file), options, context)).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('LUKS'),
  });
});
