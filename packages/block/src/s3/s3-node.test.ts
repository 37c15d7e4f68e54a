import { describe, expect, test } from '@jest/globals';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import type { Fetch } from '../http/http-fetch.ts';
import { S3Client } from './s3-client.ts';
import { openS3Node } from './s3-node.ts';
import { signRequest } from './sign-request.ts';

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
};

/** A store in memory. */
class FakeStore {
  readonly objects = new Map<string, Uint8Array>();
  /** Answers with this status instead. */
  failWith: number | undefined;

  readonly fetch: Fetch = async (address, { method, headers, body }) => {
    if (this.failWith !== undefined)
      return new Response('<Error><Code>Slow</Code></Error>', { status: this.failWith });
    const { authorization, range } = headers as Record<string, string>;
    if (!authorization!.startsWith('AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/'))
      return new Response('', { status: 403 });
    const key = new URL(address).pathname;
    if (method === 'PUT') {
      this.objects.set(key, new Uint8Array(body as Uint8Array));
      return new Response('');
    }
    if (method === 'DELETE') {
      this.objects.delete(key);
      return new Response(null, { status: 204 });
    }
    const object = this.objects.get(key);
    if (object === undefined) return new Response('', { status: 404 });
    const found = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
    if (found === null) return new Response(object as Uint8Array<ArrayBuffer>);
    return new Response(object.slice(Number(found[1]), Number(found[2]) + 1), { status: 206 });
  };

  client(): S3Client {
    return new S3Client({
      endpoint: 'https://store.test',
      bucket: 'b',
      prefix: 'disk/',
      credentials,
      fetch: this.fetch,
      retries: 0,
    });
  }
}

let store = new FakeStore();
describeBlockNode(
  's3',
  async (size) => {
    store = new FakeStore();
    const node = await openS3Node(store.client(), { readOnly: false, create: true });
    await node.resize(size);
    return node;
  },
  { runs: 8, reopen: () => openS3Node(store.client(), { readOnly: false }) },
);

describe('s3 node', () => {
  test('keeps no objects of zeroes', async () => {
    store = new FakeStore();
    const node = await openS3Node(store.client(), { readOnly: false, create: true, growable: true });
    await node.write(5 << 20, new Uint8Array(3).fill(1));
    expect([...store.objects.keys()].toSorted()).toEqual(['/b/disk/000000000005', '/b/disk/manifest.json']);
    await node.write(5 << 20, new Uint8Array(3));
    expect([...store.objects.keys()]).toEqual(['/b/disk/manifest.json']);
    expect((await openS3Node(store.client(), { readOnly: true })).size).toBe((5 << 20) + 3);
  });

  test('says what is wrong', async () => {
    store = new FakeStore();
    await expect(openS3Node(store.client(), { readOnly: true })).rejects.toMatchObject({ code: 'not-found' });
    store.objects.set(
      '/b/disk/manifest.json',
      new TextEncoder().encode('{"version":1,"size":-1,"chunkBytes":3}'),
    );
    await expect(openS3Node(store.client(), { readOnly: true })).rejects.toMatchObject({ code: 'corrupt' });
    store.failWith = 403;
    await expect(openS3Node(store.client(), { readOnly: true })).rejects.toMatchObject({
      code: 'permission',
    });
    store.failWith = 503;
    await expect(openS3Node(store.client(), { readOnly: true })).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  test("signs as the vendor's example says", async () => {
    const { authorization } = await signRequest(
      {
        method: 'GET',
        url: new URL('https://examplebucket.s3.amazonaws.com/test.txt'),
        headers: { range: 'bytes=0-9' },
      },
      credentials,
      new Date('2013-05-24T00:00:00Z'),
    );
    expect(authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
  });
});
