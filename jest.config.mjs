/** @type {import('jest').Config} */
export default {
  rootDir: import.meta.dirname,
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/tools'],
  testMatch: ['**/src/**/*.test.ts', '**/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '/assembly/'],
  modulePathIgnorePatterns: ['/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest', swc()] },
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@polyvisor/source', 'node', 'node-addons'] },
  cacheDirectory: '<rootDir>/.cache/jest',
  injectGlobals: false,
  // Native ES modules keep import.meta.url, so tests find wasm files and worker files as programs do.
  maxWorkers: 2,
  testTimeout: 30_000,
};

function swc() {
  return {
    jsc: { target: 'esnext', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
    sourceMaps: 'inline',
  };
}
