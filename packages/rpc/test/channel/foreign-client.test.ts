import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import { nodeService } from '@polyvisor/proto/service/node';
import { describeWith } from '@polyvisor/testkit/needs';
import { createServer, serve } from '../../src/channel/index.ts';
import type { Handlers } from '../../src/channel/index.ts';

// A client in another language, on another gRPC library, that finds out by reflection what there is.

const python = '/usr/bin/python3';
const proto = join(import.meta.dirname, '../../../../proto');
const folder = mkdtempSync(join(tmpdir(), 'foreign-client-'));
const hasGrpc = spawnSync(python, ['-c', 'import grpc, google.protobuf']).status === 0;

if (!hasGrpc && process.env['POLYVISOR_REQUIRE_ALL'] === undefined) {
  process.stderr.write('SKIPPED: a foreign client: needs python3-grpcio\n');
  describe.skip('a foreign client (needs python3-grpcio)', () => {
    test('lists services', () => {});
  });
} else {
  describeWith({ programs: [python.slice('/usr/bin/'.length), 'protoc'] }, 'a foreign client', body);
}

function body(): void {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('lists services, reads their files, calls them and reads a console', async () => {
    const generated = join(folder, 'generated');
    mkdirSync(generated);
    for (const file of ['polyvisor/node/v1/node_service.proto', 'grpc/reflection/v1/reflection.proto'])
      execFileSync('protoc', ['-I', proto, `--python_out=${generated}`, file]);
    // Python's gRPC is a package called `grpc`, too.
    renameSync(join(generated, 'grpc/reflection/v1'), join(generated, 'grpc_reflection_v1'));
    rmSync(join(generated, 'grpc'), { recursive: true });

    const refuse = Object.fromEntries(Object.keys(nodeService).map((name) => [name, () => ({})]));
    const handlers = {
      ...(refuse as unknown as Handlers<typeof nodeService>),
      getNode: () => ({ name: 'here', memoryBytes: 2 ** 40, mechanisms: new Map([['landlock', '']]) }),
      getVm: ({ vm }) => {
        throw new PolyvisorError('not-found', { what: 'no VM of this name', which: vm });
      },
      console: (stream) => {
        stream.onMessage(({ vm, input }) => {
          stream.send({ output: Buffer.from(`${vm}: `) });
          stream.send({ output: input });
        });
      },
    } satisfies Handlers<typeof nodeService>;
    const path = join(folder, 'run/node.sock');
    const server = await createServer({
      listen: [`unix:${path}`],
      services: [serve(nodeService, handlers)],
      identity: { anonymous: 'admin' },
    });
    try {
      const script = join(import.meta.dirname, 'foreign_client.py');
      const run = promisify(execFile);
      const { stdout } = await run(python, [script, `unix:${path}`, generated], { timeout: 20_000 });
      const node = ['here', 2 ** 40, { landlock: '' }];
      const services = [
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'polyvisor.node.v1.NodeService',
      ];
      expect(JSON.parse(stdout)).toEqual({
        listed: { v1: services, v1alpha: services },
        missing: 5,
        dynamic: node,
        static: node,
        failure: ['NOT_FOUND', 'no VM of this name: nobody'],
        output: 'a: hello',
      });
    } finally {
      await server.close();
    }
  }, 30_000);
}
