// nx reads each project's targets from what its folder holds, so that a package needs no target of its own.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const name = 'polyvisor-targets';

const node = 'node_modules/.bin/node';

export const createNodes = [
  '{packages,apps}/*/package.json',
  (files, _options, context) => files.map((file) => [file, inferProject(file, context.workspaceRoot)]),
];
export const createNodesV2 = createNodes;

function inferProject(file, workspaceRoot) {
  const root = dirname(file);
  const targets = {
    test: {
      command: `node_modules/.bin/jest ${root}/`,
      dependsOn: [{ projects: '*', target: 'wasm' }],
      cache: false,
    },
  };
  if (existsSync(join(workspaceRoot, root, 'assembly/index.ts'))) {
    targets.wasm = {
      command: `${node} tools/build/wasm.mjs ${root}`,
      cache: true,
      inputs: [
        '{projectRoot}/assembly/**/*',
        '{projectRoot}/asconfig.json',
        '{workspaceRoot}/tools/build/wasm.mjs',
        'toolchain',
      ],
      outputs: ['{projectRoot}/dist/*.wasm'],
    };
  }
  if (existsSync(join(workspaceRoot, root, 'src/main.ts'))) {
    targets.bundle = {
      command: `${node} tools/build/bundle.mjs ${root}`,
      dependsOn: [{ projects: '*', target: 'wasm' }],
      cache: true,
      inputs: [
        '{workspaceRoot}/packages/*/src/**/*',
        '{projectRoot}/src/**/*',
        '{workspaceRoot}/packages/*/assembly/**/*',
        '{workspaceRoot}/tools/build/**/*',
        'toolchain',
      ],
      outputs: ['{projectRoot}/dist'],
    };
  }
  return { projects: { [root]: { root, targets } } };
}
