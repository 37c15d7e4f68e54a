// nx reads each project's targets from what its folder holds, so that a package needs no target of its own.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const name = 'polyvisor-targets';

const node = 'node_modules/.bin/node';
const afterWasm = [{ projects: '*', target: 'wasm' }];

export const createNodesV2 = [
  '{packages,apps}/*/package.json',
  (files, _options, context) =>
    files.map((file) => [file, inferProject(dirname(file), context.workspaceRoot)]),
];

function inferProject(root, workspaceRoot) {
  const has = (path) => existsSync(join(workspaceRoot, root, path));
  const targets = {
    test: { command: `node_modules/.bin/jest ${root}/`, dependsOn: afterWasm, cache: false },
  };
  if (has('assembly/index.ts')) {
    targets.wasm = {
      command: `${node} tools/build/wasm.mjs ${root}`,
      cache: true,
      inputs: [
        // A module may take in sources of other packages' assembly.
        '{workspaceRoot}/packages/*/assembly/**/*',
        '{projectRoot}/asconfig.json',
        '{workspaceRoot}/tools/build/wasm.mjs',
        'toolchain',
      ],
      outputs: ['{projectRoot}/dist/*.wasm'],
    };
  }
  // Modules that the project's own code generates, so that a start needn't.
  if (has('src/node/generate-modules.ts')) {
    targets.wasm = {
      command: `${node} --conditions=@polyvisor/source ${root}/src/node/generate-modules.ts`,
      cache: true,
      inputs: [
        '{workspaceRoot}/packages/*/src/**/*',
        '!{workspaceRoot}/packages/*/src/**/*.test.ts',
        'toolchain',
      ],
      outputs: ['{projectRoot}/dist/*.wasm'],
    };
  }
  if (has('src/main.ts')) {
    targets.bundle = {
      command: `${node} tools/build/bundle.mjs ${root}`,
      dependsOn: afterWasm,
      cache: true,
      inputs: [
        '{projectRoot}/src/**/*',
        '{workspaceRoot}/packages/*/src/**/*',
        '!{workspaceRoot}/packages/*/src/**/*.test.ts',
        '{workspaceRoot}/packages/*/assembly/**/*',
        '{workspaceRoot}/packages/*/asconfig.json',
        '{workspaceRoot}/packages/*/package.json',
        '{workspaceRoot}/tools/build/*',
        'toolchain',
      ],
      outputs: ['{projectRoot}/dist'],
    };
  }
  return { projects: { [root]: { root, targets } } };
}
