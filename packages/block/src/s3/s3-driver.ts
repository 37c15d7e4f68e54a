import { PolyvisorError } from '@polyvisor/contracts';
import type { ProtocolDriver, ProtocolOpenOptions } from '../graph/driver.ts';
import { S3Client } from './s3-client.ts';
import type { S3Node } from './s3-node.ts';
import { openS3Node } from './s3-node.ts';

/** Disks in S3-compatible object stores: `s3://BUCKET/PREFIX`. */
export const s3Driver: ProtocolDriver = {
  openOptions: [
    { name: 'endpoint', type: 'string', help: 'address of the store' },
    { name: 'bucket', type: 'string', help: 'bucket' },
    { name: 'prefix', type: 'string', default: '', help: "what the disk's objects' names begin with" },
    { name: 'region', type: 'string', default: 'us-east-1', help: 'region that requests are signed for' },
    { name: 'key-id', type: 'string', help: 'access key id' },
    { name: 'key-secret', type: 'string', help: 'id of the secret that holds the secret access key' },
  ],
  open: (options) => openWith(options, false),
  async create(options) {
    const node = await openWith(options, true);
    await node.resize(0, { shrink: true });
    return node;
  },
};

async function openWith(options: ProtocolOpenOptions, create: boolean): Promise<S3Node> {
  const { values, readOnly, growable = false, secret } = options;
  const text = (name: string): string => {
    const value = values[name];
    if (typeof value === 'string' && value !== '') return value;
    throw new PolyvisorError('invalid-argument', {
      what: `s3 driver needs ${name}`,
      hint: 'name it by options: json:{"driver":"s3","endpoint":…,"bucket":…,"key-id":…,"key-secret":…}',
    });
  };
  const prefix = String(values['prefix']);
  const client = new S3Client({
    endpoint: text('endpoint'),
    bucket: text('bucket'),
    prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
    credentials: {
      accessKeyId: text('key-id'),
      secretAccessKey: new TextDecoder().decode(await secret(text('key-secret'))).trim(),
      region: text('region'),
    },
  });
  return openS3Node(client, { readOnly, growable, create });
}
