// The first thing that runs on a fresh clone: needs nothing but Node 20, npm and (for some tests) apt.
// Usage: node tools/bootstrap.mjs install|build|start|test|ci [arguments]
//
// Installs what the lock file says if that has changed, builds what has changed, and runs the rest under the
// Node that the lock file pins.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { BuildBar } from './bootstrap/build-bar.mjs';

const root = resolve(import.meta.dirname ?? '.', '..');
const bin = join(root, 'node_modules/.bin');
const stampFile = join(root, 'node_modules/.install-stamp');
const pnpmVersion = /^ {2}pnpm: (\S+)$/m.exec(read('pnpm-workspace.yaml'))?.[1] ?? 'latest';
const gib = 2 ** 30;
const interactive = process.stdout.isTTY === true && process.env.CI === undefined;
const environment = {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
  NX_TUI: 'false',
  NX_DAEMON: 'false',
};

const [command = 'install', ...rest] = process.argv.slice(2);
const commands = { install, build, start, test, ci };
const chosen = commands[command];
if (chosen === undefined)
  fail(`bootstrap: unknown command ${command} (known: ${Object.keys(commands).join(', ')})`);
process.chdir(root);
process.exitCode = await chosen(rest);

async function install() {
  requireNode();
  const stamp = currentStamp();
  if (readOrEmpty(stampFile) === stamp && existsSync(join(bin, 'node'))) return 0;
  requireDisk(root, 2 * gib, 'installing dependencies');
  say(`installing dependencies into node_modules with pnpm ${pnpmVersion} (about a minute the first time)`);
  const own = join(bin, 'pnpm');
  const program =
    existsSync(own) && versionOf(own) === pnpmVersion ? [own] : ['npx', '-y', `pnpm@${pnpmVersion}`];
  const [file, ...prefix] = program;
  const args = ['install', '--frozen-lockfile', `--reporter=${interactive ? 'default' : 'append-only'}`];
  const status = await run(file, [...prefix, ...args], {
    CI: process.env.CI ?? 'true',
    // npm's own pauses make a missing network look like a hang of a minute.
    npm_config_fetch_retry_mintimeout: '1000',
    npm_config_fetch_retry_maxtimeout: '5000',
  });
  if (status !== 0) fail(explainInstall(status));
  if (!existsSync(join(bin, 'node'))) {
    fail(
      `bootstrap: the pinned Node is not packaged for ${process.platform}-${process.arch}; ` +
        'add its package to optionalDependencies in package.json',
    );
  }
  writeFileSync(stampFile, stamp);
  return 0;
}

async function build(args) {
  await install();
  const status = await run(join(bin, 'nx'), [
    'run-many',
    '-t',
    'wasm',
    'bundle',
    '--outputStyle=static',
    ...args,
  ]);
  return status === 0 ? await run(join(bin, 'node'), ['tools/build/packages.mjs']) : status;
}

/** For start and test: a bar on a terminal, lines elsewhere, nothing when all is built. */
async function buildQuietly() {
  await install();
  const began = Date.now();
  const bar = new BuildBar(interactive);
  const result = await capture(
    join(bin, 'nx'),
    ['run-many', '-t', 'wasm', 'bundle', '--outputStyle=static'],
    (output) => bar.update(output),
  );
  bar.end();
  if (result.status === 0) return;
  process.stderr.write(result.output);
  fail(`bootstrap: the build failed after ${seconds(began)} (see above)`);
}

async function start(args) {
  await buildQuietly();
  return await run(join(bin, 'polyvisor'), args.length > 0 ? args : ['run']);
}

async function test(args) {
  await buildQuietly();
  if (args.length === 0) await installPeers();
  const report = process.env.POLYVISOR_TEST_REPORT;
  return await run(
    join(bin, 'jest'),
    report === undefined ? args : [...args, '--json', `--outputFile=${report}`],
  );
}

/** Everything that must hold before a change is done; each step runs even when an earlier one failed. */
async function ci() {
  const steps = [
    ['format', join(bin, 'prettier'), ['--check', '--log-level=warn', '.']],
    ['type check', join(bin, 'tsc-native'), ['-p', 'tsconfig.json']],
    ['lint', join(bin, 'eslint'), ['.']],
    ['proto lint', join(bin, 'buf'), ['lint', 'proto']],
    ['proto breaking', join(bin, 'node'), ['tools/proto-breaking.mjs']],
    ['generated', join(bin, 'node'), ['tools/generate.mjs', '--check']],
  ];
  await install();
  const results = [];
  const timed = async (name, action) => {
    const began = Date.now();
    say(`${name} ...`);
    results.push({ name, status: await action(), took: seconds(began) });
  };
  for (const [name, file, args] of steps) await timed(name, () => run(file, args));
  const report = join(root, '.cache/test-report.json');
  rmSync(report, { force: true });
  await timed('tests', () => run('npm', ['test', '--silent'], { POLYVISOR_TEST_REPORT: report }));
  console.log('');
  for (const { name, status, took } of results) {
    console.log(`${status === 0 ? 'passed' : 'FAILED'}  ${name} (${took})`);
  }
  return summarize(results, report);
}

/** The last line: every test, and every other step as one more. */
function summarize(steps, report) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  if (existsSync(report)) {
    const { numPassedTests, numFailedTests, numFailedTestSuites, numPendingTests } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    passed += numPassedTests;
    failed += numFailedTests === 0 ? numFailedTestSuites : numFailedTests;
    skipped += numPendingTests;
  }
  for (const { name, status } of steps) {
    if (status === 0) passed += name === 'tests' ? 0 : 1;
    else if (name !== 'tests' || failed === 0) failed += 1;
  }
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed === 0 ? 0 : 1;
}

/** Debian's packages that tests compare with. Tests skip, and say so, without them. */
async function installPeers() {
  if (process.env.POLYVISOR_NO_APT !== undefined) return;
  const wanted = read('tools/apt-packages.txt')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  const query = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Abbrev} ${Package}\n', ...wanted], {
    encoding: 'utf8',
  });
  if (query.error !== undefined) {
    say(`no dpkg here: tests that compare with ${wanted.join(', ')} may be skipped`);
    return;
  }
  const present = new Set([...query.stdout.matchAll(/^ii\s+(\S+)/gm)].map((match) => match[1]));
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    say(
      `tests that need ${missing.join(', ')} will be skipped; to run them: sudo apt-get install ${missing.join(' ')}`,
    );
    return;
  }
  requireDisk('/', gib, 'installing Debian packages');
  say(
    `installing Debian packages that tests compare with: ${missing.join(' ')} (POLYVISOR_NO_APT=1 leaves them out)`,
  );
  const apt = (...args) =>
    run('apt-get', ['-y', '-q', '-o', 'Dpkg::Use-Pty=0', ...args], { DEBIAN_FRONTEND: 'noninteractive' });
  const installMissing = () => apt('install', '--no-install-recommends', ...missing);
  // A package list that is missing or old is the usual reason for a first failure.
  if ((await installMissing()) === 0) return;
  if ((await apt('update')) === 0 && (await installMissing()) === 0) return;
  say('apt could not install them (see above): tests that need them will be skipped');
}

function requireNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20)
    fail(
      `bootstrap: Node ${process.versions.node} is too old; 20 or newer is needed (apt install nodejs npm)`,
    );
}

function requireDisk(path, needed, purpose) {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  if (free >= needed) return;
  fail(
    `bootstrap: ${purpose} needs ${inGib(needed)} GiB free at ${path}, and ${inGib(free)} GiB are; make room there`,
  );
}

function explainInstall(status) {
  if (status === 127) return 'bootstrap: npx is not installed; on Debian: apt install npm';
  const { bavail, bsize } = statfsSync(root);
  if (bavail * bsize < gib / 4)
    return `bootstrap: the disk is full at ${root}; make room and run the command again`;
  const ping = spawnSync('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=10000'], {
    stdio: 'ignore',
    timeout: 20_000,
  });
  if (ping.status !== 0) {
    return 'bootstrap: the npm registry does not answer; check the network (and proxy) and run the command again';
  }
  return `bootstrap: pnpm install ended with status ${status} (see above)`;
}

/** Changes whenever an install would do something. */
function currentStamp() {
  const hash = createHash('sha256');
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(read(file)).update('\0');
  return `${hash.digest('hex')} ${process.platform}-${process.arch}\n`;
}

function versionOf(file) {
  return spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout?.trim();
}

/** Runs a program on this terminal; resolves to its exit status. Ctrl-C is the program's to handle. */
function run(file, args, extra = {}) {
  return new Promise((done) => {
    const child = spawn(file, args, { stdio: 'inherit', env: { ...environment, ...extra } });
    const ignore = () => {};
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', ignore).on('SIGTERM', forward).on('SIGHUP', forward);
    const finish = (status) => {
      process.off('SIGINT', ignore).off('SIGTERM', forward).off('SIGHUP', forward);
      done(status);
    };
    child.on('error', () => finish(127));
    child.on('exit', (status, signal) => finish(status ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

/** Runs a program and keeps what it prints. */
function capture(file, args, onOutput) {
  return new Promise((done) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    let output = '';
    const add = (chunk) => {
      output += chunk;
      onOutput(output);
    };
    child.stdout.setEncoding('utf8').on('data', add);
    child.stderr.setEncoding('utf8').on('data', add);
    child.on('error', (error) => done({ status: 127, output: `${error.message}\n` }));
    child.on('close', (status) => done({ status: status ?? 1, output }));
  });
}

function read(path) {
  return readFileSync(join(root, path), 'utf8');
}

function readOrEmpty(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function inGib(bytes) {
  return (bytes / gib).toFixed(1);
}

function seconds(began) {
  return `${((Date.now() - began) / 1000).toFixed(1)} s`;
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}
