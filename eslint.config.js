import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';
import { importLayers } from './tools/eslint/import-layers.js';
import { layers } from './tools/eslint/layers.js';

const browserSources = Object.entries(layers)
  .filter(([, row]) => row.browser)
  .map(([name]) => `packages/${name}/src/**/*.ts`);
const tests = ['**/*.test.ts', '**/test/**/*.ts', '**/bench/**/*.ts'];
const noEnum = {
  selector: 'TSEnumDeclaration',
  message: 'Use a string union or a const object: Node runs the sources by stripping types.',
};
const nodeGlobals = ['process', 'Buffer', '__dirname', '__filename', 'require', 'setImmediate', 'global'];

export default tseslint.config(
  {
    ignores: ['**/node_modules/', '**/dist/', '**/assembly/', '**/*.gen.ts', '.cache/', '.nx/', 'coverage/'],
  },
  js.configs.recommended,
  prettier,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      // A vCPU runs in a loop that ends from inside.
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-fallthrough': 'error',
      'no-implicit-coercion': ['error', { boolean: false }],
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: {
      parserOptions: { project: ['./tsconfig.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      'no-restricted-syntax': ['error', noEnum],
      // The compiler knows globals; this rule does not.
      'no-undef': 'off',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
    },
  },
  {
    files: ['packages/**/*.ts', 'apps/**/*.ts'],
    plugins: { polyvisor: { rules: { 'import-layers': importLayers } } },
    rules: { 'polyvisor/import-layers': 'error' },
  },
  {
    files: browserSources,
    ignores: ['packages/*/src/node/**', ...tests],
    rules: {
      'no-restricted-globals': [
        'error',
        ...nodeGlobals.map((name) => ({
          name,
          message: 'This package must run in a browser; what needs Node stands in src/node/.',
        })),
      ],
    },
  },
  {
    files: ['**/*.d.ts'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { project: null } },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['process', 'console', 'URL', 'Buffer', 'performance', 'fetch', 'setTimeout', 'clearTimeout'].map(
          (name) => [name, 'readonly'],
        ),
      ),
    },
  },
);
