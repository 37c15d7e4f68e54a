// Refuses a change of proto/ that would break a peer of the version before.
// The version before is $POLYVISOR_PROTO_BASE, else the last commit's parent.
import { execFileSync, spawnSync } from 'node:child_process';

const git = (...args) => execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

const base = process.env.POLYVISOR_PROTO_BASE ?? 'HEAD~1';
let commit;
try {
  commit = git('rev-parse', '--verify', '--quiet', `${base}^{commit}`);
  if (git('ls-tree', '-d', '--name-only', commit, 'proto') === '') throw new Error('no proto folder there');
} catch {
  console.log(`proto:breaking SKIPPED: there is no earlier version to compare with (${base} has no proto/)`);
  process.exit(0);
}
const result = spawnSync('../node_modules/.bin/buf', ['breaking', '--against', `../.git#ref=${commit},subdir=proto`], {
  cwd: 'proto',
  stdio: 'inherit',
});
if (result.status === 0) console.log(`proto:breaking: nothing breaks ${commit.slice(0, 12)}`);
process.exit(result.status ?? 1);
