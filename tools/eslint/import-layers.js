import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { appLayer, apps, layers, onlyFrom, testkit } from './layers.js';

const scope = '@polyvisor/';
const workspaceRoot = resolve(import.meta.dirname, '../..');
const manifests = new Map();

/** Enforces the table in layers.js. */
export const importLayers = {
  meta: {
    type: 'problem',
    docs: { description: 'imports between packages follow tools/eslint/layers.js' },
    schema: [],
    messages: { refused: "'{{source}}': {{reason}}" },
  },
  create(context) {
    const importer = describe(context.filename);
    if (importer === undefined) return {};
    const check = (node) => {
      const source = node?.value;
      if (typeof source !== 'string') return;
      const reason = refusal(importer, source);
      if (reason !== undefined) context.report({ node, messageId: 'refused', data: { source, reason } });
    };
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      TSImportType: (node) => check(node.source ?? node.argument?.literal),
    };
  },
};

/** What the rule needs to know of a file: its package, and whether it is a test or Node's part. */
function describe(filename) {
  const path = relative(workspaceRoot, filename).split(sep);
  const [area, name, ...rest] = path;
  if ((area !== 'packages' && area !== 'apps') || name === undefined || rest.length === 0) return undefined;
  const folder = join(workspaceRoot, area, name);
  const inTests = /\.test\.ts$/.test(filename) || rest[0] === 'test' || rest[0] === 'bench';
  const row =
    area === 'apps'
      ? { layer: appLayer, browser: false, beside: apps[name] ?? [] }
      : name === testkit.name
        ? testkit
        : layers[name];
  return {
    filename,
    folder,
    name: area === 'apps' ? `apps/${name}` : name,
    row,
    isTestkit: area === 'packages' && name === testkit.name,
    inTests,
    inNode: rest[0] === 'src' && rest[1] === 'node',
  };
}

/** Why this import is refused, or undefined where it is fine. */
function refusal(importer, source) {
  if (importer.row === undefined) return `package ${importer.name} has no row in tools/eslint/layers.js`;
  if (source.startsWith('.')) return relativeRefusal(importer, source);
  // A module of the package itself that stands for another one on Node than in a browser.
  if (source.startsWith('#')) {
    return source in (readManifest(importer.folder).imports ?? {})
      ? undefined
      : `"imports" in package.json of ${importer.name} does not list it`;
  }
  if (isBuiltin(source)) return builtinRefusal(importer, source);
  const packageName = source.startsWith('@') ? source.split('/', 2).join('/') : source.split('/', 1)[0];
  const only = onlyFrom[packageName];
  if (only !== undefined && only[0] !== importer.name)
    return `only packages/${only[0]} may import it (${only[1]})`;
  if (packageName.startsWith(scope)) {
    const reason = layerRefusal(importer, source, packageName.slice(scope.length));
    if (reason !== undefined) return reason;
  }
  return undeclaredRefusal(importer, packageName);
}

function relativeRefusal(importer, source) {
  const target = resolve(dirname(importer.filename), source);
  if (!target.startsWith(importer.folder + sep))
    return `it leaves the package; import ${scope}<name> instead`;
  if (!/\.(ts|js|mjs|json)$/.test(source))
    return 'a relative import ends in .ts, since Node runs the sources';
  const intoNode = target.startsWith(join(importer.folder, 'src/node') + sep);
  if (intoNode && importer.row.browser && !importer.inNode && !importer.inTests) {
    return `${importer.name} must run in a browser, and src/node/ needs Node; turn the dependency round`;
  }
  return undefined;
}

function builtinRefusal(importer, source) {
  if (!source.startsWith('node:')) return `write node:${source}`;
  if (!importer.row.browser || importer.inNode || importer.inTests) return undefined;
  return `${importer.name} must run in a browser; what needs Node stands in src/node/ and is exported as ${scope}${importer.name}/node`;
}

function layerRefusal(importer, source, target) {
  if (importer.name === target) return 'a package does not import itself by name; use a relative path';
  if (target === testkit.name) {
    return importer.inTests ? undefined : 'testkit is for tests (src/**/*.test.ts, test/, bench/)';
  }
  const row = layers[target] ?? (target in apps ? { layer: appLayer } : undefined);
  if (row === undefined) return `package ${target} has no row in tools/eslint/layers.js`;
  if (importer.isTestkit) {
    return row.layer < testkit.layer ? undefined : `testkit (layer ${testkit.layer}) stands below ${target}`;
  }
  if (importer.row.side !== undefined && row.side !== undefined && importer.row.side !== row.side) {
    return `${importer.name} is on the ${importer.row.side} side and ${target} on the ${row.side} side, which may be two machines; meet in contracts`;
  }
  if (row.layer >= importer.row.layer && !importer.row.beside?.includes(target)) {
    return `imports go down: ${importer.name} is layer ${importer.row.layer}, ${target} is layer ${row.layer}; put the interface into contracts`;
  }
  if (source.endsWith('/node') && importer.row.browser && !importer.inNode && !importer.inTests) {
    return `${importer.name} must run in a browser, and ${source} needs Node`;
  }
  return undefined;
}

function undeclaredRefusal(importer, packageName) {
  const manifest = readManifest(importer.folder);
  if (packageName in (manifest.dependencies ?? {}) || packageName in (manifest.optionalDependencies ?? {}))
    return undefined;
  if (packageName in (manifest.devDependencies ?? {})) {
    return importer.inTests ? undefined : 'it is a devDependency, and this is no test';
  }
  return `package.json of ${importer.name} does not list it`;
}

function readManifest(folder) {
  const cached = manifests.get(folder);
  if (cached !== undefined) return cached;
  const path = join(folder, 'package.json');
  const manifest = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  manifests.set(folder, manifest);
  return manifest;
}
