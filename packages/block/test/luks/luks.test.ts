import { luksCrypto } from '#luks-crypto';
import { describe, expect, test } from '@jest/globals';
import { silentLogger } from '@polyvisor/contracts';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import { createCipheriv } from 'node:crypto';
import type { BlockNode } from '../../src/graph/block-node.ts';
import type { OpenContext, OptionValues } from '../../src/graph/driver.ts';
import { FilterNode } from '../../src/filter/filter-node.ts';
import { mergeKey, splitKey } from '../../src/luks/anti-forensic.ts';
import { createLuks } from '../../src/luks/create-luks.ts';
import { HEADER_BYTES } from '../../src/luks/luks-header.ts';
import { openLuks } from '../../src/luks/open-luks.ts';
import type { LuksNode } from '../../src/luks/luks-node.ts';
import { createSectorCipher, parseCipherMode } from '../../src/luks/sector-cipher.ts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { KeptNode } from '../qcow2/images.ts';

const SIZE = 256 * 1024;
const FUZZ_RUNS = Number(process.env['FUZZ_RUNS'] ?? 3000);
const text = new TextEncoder();

const no = (): never => {
  throw new Error('nothing else in this test');
};
const context: OpenContext = {
  logger: silentLogger,
  name: 'test.luks',
  openBacking: async () => undefined,
  openFile: async () => no(),
  openImage: async () => no(),
  createFile: async () => no(),
  secret: async (id) => text.encode(`password ${id}`),
};

async function create(values: OptionValues = {}, size = SIZE): Promise<MemoryNode> {
  const file = new MemoryNode({ growable: true });
  await createLuks(file, { size, values: { 'key-secret': 'a', 'iter-time': 1, ...values } }, context);
  return file;
}

const open = (file: BlockNode, secret = 'a'): Promise<LuksNode> =>
  openLuks(new KeptNode(file), { readOnly: false, values: { 'key-secret': secret } }, context);

let file = new MemoryNode();
describeBlockNode(
  'luks',
  async (size) => {
    file = await create({}, size);
    const node = await open(file);
    // Nobody has encrypted zeroes for a new disk.
    await node.writeZeroes(0, size);
    // Nor for what is added to it.
    return Object.defineProperty(node, 'resize', { value: undefined });
  },
  { size: SIZE, runs: 20, reopen: () => open(file) },
);

describe('luks', () => {
  test.each([
    {},
    { 'cipher-alg': 'aes-128' },
    { 'cipher-mode': 'cbc' },
    { 'cipher-mode': 'cbc', 'ivgen-alg': 'plain', 'cipher-alg': 'aes-192' },
    { 'hash-alg': 'sha1' },
    { 'hash-alg': 'sha512' },
  ])('keeps data in no clear word: %p', async (values: OptionValues) => {
    const image = await create(values);
    const node = await open(image);
    await node.write(1000, text.encode('attack at dawn'.repeat(100)));
    const back = new Uint8Array(1400);
    await (await open(image)).read(1000, back);
    expect(new TextDecoder().decode(back)).toBe('attack at dawn'.repeat(100));
    const bytes = new Uint8Array(image.size);
    await image.read(0, bytes);
    expect(Buffer.from(bytes).includes('attack')).toBe(false);
    expect(Buffer.from(bytes).includes('password')).toBe(false);
  });

  test('a wrong password is one clear line', async () => {
    await expect(open(await create(), 'b')).rejects.toMatchObject({
      code: 'permission',
      message: 'Invalid password, cannot unlock any keyslot',
    });
  });

  test('passwords are added and taken away, the last one stays', async () => {
    const image = await create();
    const node = await open(image);
    await node.amend({ state: 'active', 'new-secret': 'b', 'iter-time': 1 });
    const other = await open(image, 'b');
    await other.amend({ state: 'inactive', 'old-secret': 'a' });
    await expect(open(image)).rejects.toMatchObject({ code: 'permission' });
    await expect(other.amend({ state: 'inactive', 'old-secret': 'b' })).rejects.toMatchObject({
      code: 'precondition',
    });
    await expect(other.amend({ state: 'active', 'new-secret': 'c', keyslot: 9 })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    await open(image, 'b');
  });

  test('XTS is what OpenSSL makes of it', () => {
    const key = luksCrypto.random(64);
    const cipher = createSectorCipher(parseCipherMode('aes', 'xts-plain64', 64, ''), key, luksCrypto, '');
    const data = luksCrypto.random(4 * 512);
    const mine = Uint8Array.from(data);
    const first = 2 ** 33 + 5;
    cipher.encrypt(first, mine);
    for (let i = 0; i < 4; i++) {
      const iv = Buffer.alloc(16);
      iv.writeBigUInt64LE(BigInt(first + i));
      const theirs = createCipheriv('aes-256-xts', key, iv).update(data.subarray(i * 512, i * 512 + 512));
      expect(Buffer.from(mine.subarray(i * 512, i * 512 + 512)).equals(theirs)).toBe(true);
    }
    cipher.decrypt(first, mine);
    expect(Buffer.from(mine).equals(Buffer.from(data))).toBe(true);
  });

  test('a split key comes back, and not when a bit is lost', () => {
    const key = luksCrypto.random(64);
    const material = splitKey(key, 4000, 'sha256', luksCrypto);
    expect(mergeKey(material, 64, 4000, 'sha256', luksCrypto)).toEqual(Uint8Array.from(key));
    material[100_000]! ^= 1;
    expect(mergeKey(material, 64, 4000, 'sha256', luksCrypto)).not.toEqual(Uint8Array.from(key));
  });

  test('mutated headers open, or are refused by a line', async () => {
    const image = await create();
    const good = new Uint8Array(image.size);
    await image.read(0, good);
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    let opened = 0;
    class MutatedNode extends FilterNode {
      readonly head: Uint8Array;
      readonly length: number;
      constructor(head: Uint8Array, length: number) {
        super('mutated', image);
        this.head = head;
        this.length = length;
      }
      override get size(): number {
        return this.length;
      }
      override async read(offset: number, target: Uint8Array): Promise<void> {
        expect(offset + target.length).toBeLessThanOrEqual(this.length);
        await super.read(offset, target);
        if (offset < this.head.length) target.set(this.head.subarray(offset, offset + target.length));
      }
    }
    for (let run = 0; run < FUZZ_RUNS; run++) {
      const length = random(20) === 0 ? random(good.length) : good.length;
      const bytes = good.slice(0, Math.min(length, 4096));
      for (let i = random(4); i >= 0; i--) bytes[random(HEADER_BYTES)] = random(3) === 0 ? 255 : random(256);
      // What takes long is not what is looked for here.
      const view = new DataView(bytes.buffer);
      if (bytes.length >= HEADER_BYTES)
        for (const at of [164, 212, 260, 308]) view.setUint32(at, Math.min(view.getUint32(at), 1000));
      const broken = new MutatedNode(bytes, length);
      const purpose = random(200) === 0 ? 'io' : 'info';
      try {
        const node = await openLuks(
          new KeptNode(broken),
          { readOnly: true, values: { 'key-secret': 'a' }, purpose },
          context,
        );
        await node.describe();
        expect(node.size).toBeLessThanOrEqual(length + 512);
        opened++;
      } catch (error) {
        expect(error).toMatchObject({ name: 'PolyvisorError' });
        expect((error as Error).message).not.toContain('\n');
      }
    }
    expect(opened).toBeGreaterThan(0);
  });
});
