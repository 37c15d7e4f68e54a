// Refuses a change of proto/ that would break a peer of the version before.
// The version before is $POLYVISOR_PROTO_BASE, else the latest release's tag (v*), else the commit before the
// last change of proto/. Before the first release a break may be meant: then the commit that makes it says why in a
// trailer `Proto-Break: <reason>`.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';

const before = '.cache/proto-before';
const base = process.env.POLYVISOR_PROTO_BASE ?? latestRelease() ?? beforeLastChange();

if (base === undefined || git('ls-tree', '-d', '--name-only', base, 'proto') !== 'proto') {
  console.log('proto:breaking SKIPPED: git holds no earlier proto/ to compare with');
  process.exit(0);
}
rmSync(before, { recursive: true, force: true });
mkdirSync(before, { recursive: true });
const archive = execFileSync('git', ['archive', '--format=tar', base, 'proto'], { maxBuffer: 1 << 28 });
execFileSync('tar', ['-x', '-C', before], { input: archive });
const { status } = spawnSync('../node_modules/.bin/buf', ['breaking', '--against', `../${before}/proto`], {
  cwd: 'proto',
  stdio: 'inherit',
});
const meant = status !== 0 && latestRelease() === undefined ? trailer() : '';
if (meant) {
  console.log(`proto:breaking: breaks ${base.slice(0, 12)}, as its commit means to: ${meant}`);
  process.exit(0);
}
if (status === 0) console.log(`proto:breaking: nothing breaks ${base.slice(0, 12)}`);
else
  console.error(
    `proto:breaking: a peer or a saved state of ${base.slice(0, 12)} would no longer be understood`,
  );
process.exit(status ?? 1);

function latestRelease() {
  return git('tag', '--list', 'v*', '--sort=-version:refname')?.split('\n')[0] || undefined;
}

function beforeLastChange() {
  if (git('status', '--porcelain', '--', 'proto')) return git('rev-parse', 'HEAD');
  const last = git('log', '-1', '--format=%H', '--', 'proto');
  return last ? git('rev-parse', '--verify', '--quiet', `${last}^{commit}~1`) : undefined;
}

/** Why the last change of proto/ breaks the one before, if its commit says so and nothing was changed since. */
function trailer() {
  if (git('status', '--porcelain', '--', 'proto')) return '';
  return git('log', '-1', '--format=%(trailers:key=Proto-Break,valueonly)', '--', 'proto');
}

/** What git prints, or undefined where it refuses (no repository, no such commit). */
function git(...args) {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
