import { availableParallelism } from 'node:os';

const wholeMachine = ['**/*.e2e.test.ts'];

const shared = {
  rootDir: import.meta.dirname,
  roots: ['<rootDir>/packages', '<rootDir>/apps', '<rootDir>/tools'],
  modulePathIgnorePatterns: ['/dist/', '/.cache/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'esnext', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@polyvisor/source', 'node', 'node-addons'] },
  cacheDirectory: '<rootDir>/.cache/jest',
  injectGlobals: false,
};
const ignored = ['/node_modules/', '/dist/', '/assembly/'];

/** @type {import('jest').Config} */
export default {
  maxWorkers: Math.max(2, availableParallelism() - 1),
  testTimeout: 30_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['**/src/**/*.test.ts', '**/test/**/*.test.ts'],
      testPathIgnorePatterns: [...ignored, '\\.e2e\\.test\\.ts$'],
    },
    {
      // Guests that boot want the machine to themselves: one file after another, nothing beside them.
      ...shared,
      displayName: 'e2e',
      testMatch: wholeMachine,
      testPathIgnorePatterns: ignored,
      runner: '<rootDir>/tools/run-jest/serial-runner.mjs',
    },
  ],
};
