import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Progress } from './progress.ts';
import {
  FIRST_BOOT_FILES,
  finishScript,
  firstBootScript,
  ROOTFS_LABEL,
  ROOTFS_PACKAGES,
  rootfsFiles,
  type RootfsIdentity,
} from './rootfs-scripts.ts';

const ARCHITECTURE = 'riscv64';
const BINFMT = '/proc/sys/fs/binfmt_misc';
/** Debian's tools for the administrator are not on everybody's PATH. */
const TOOL_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export interface RootfsOptions extends RootfsIdentity {
  /** Must not exist, or `force`. */
  readonly output: string;
  readonly force: boolean;
  /** In bytes. */
  readonly size: number;
  readonly suite: string;
  readonly mirror: string;
  readonly keyring?: string;
  readonly include: readonly string[];
}

/** How the disk was made: `complete` by mmdebstrap, or with `first-boot` work left for the guest. */
export type RootfsKind = 'complete' | 'first-boot';

/**
 * Makes a raw disk with an ext4 file system and Debian on it. Where the host can run riscv64 programs, mmdebstrap
 * makes it complete; elsewhere debootstrap unpacks the packages, and the guest configures them at its first start.
 * The output appears whole or not at all. Errors: `permission` unless root; `not-found` for a missing tool;
 * `already-exists`; `limit` when the system does not fit; `io` when a tool fails.
 */
export async function buildRootfs(options: RootfsOptions, progress: Progress): Promise<RootfsKind> {
  checkBefore(options);
  const kind: RootfsKind = runsForeign() && findTool('mmdebstrap') !== undefined ? 'complete' : 'first-boot';
  const makeFileSystem = requireTool('mke2fs', 'e2fsprogs');
  const part = `${options.output}.${randomBytes(4).toString('hex')}.part`;
  const folder = mkdtempSync(join(dirname(options.output), '.polyvisor-rootfs-'));
  const cleanUp = () => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(part, { force: true });
  };
  process.once('exit', cleanUp);
  try {
    const root = join(folder, 'root');
    if (kind === 'complete') await runMmdebstrap(root, folder, options, progress);
    else await runDebootstrap(root, options, progress);
    progress.note('making the file system');
    await runTool(
      makeFileSystem,
      ['-q', '-F', '-t', 'ext4', '-L', ROOTFS_LABEL, '-d', root, part, `${Math.floor(options.size / 1024)}k`],
      () => {},
      (log) =>
        /Could not allocate|No space|no free space|too small/i.test(log)
          ? new PolyvisorError('limit', {
              what: '--size: the system does not fit',
              which: options.output,
              hint: 'choose a bigger --size',
            })
          : undefined,
    );
    renameSync(part, options.output);
    return kind;
  } finally {
    cleanUp();
    process.off('exit', cleanUp);
  }
}

function checkBefore({ output, force }: RootfsOptions): void {
  if (process.getuid?.() !== 0) {
    throw new PolyvisorError('permission', {
      what: 'image build-rootfs needs root',
      limit: 'files on the disk belong to many users',
      hint: 'run it with sudo',
    });
  }
  const found = lstatSync(output, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile())
    throw new PolyvisorError('already-exists', { what: '--output: not a file', which: output });
  if (found !== undefined && !force)
    throw new PolyvisorError('already-exists', {
      what: '--output: the file exists',
      which: output,
      hint: 'add --force to replace it',
    });
  const parent = dirname(output);
  try {
    accessSync(parent, constants.W_OK);
  } catch (error) {
    throw new PolyvisorError('not-found', {
      what: "--output: can't write to the folder",
      which: parent,
      limit: (error as NodeJS.ErrnoException).code ?? '',
      cause: error,
    });
  }
}

/** Whether programs of the guest's architecture run here: natively or by a registered interpreter. */
function runsForeign(): boolean {
  if ((process.arch as string) === ARCHITECTURE) return true;
  if (!existsSync(BINFMT)) return false;
  return readdirSync(BINFMT).some(
    (name) => /riscv64/.test(name) && readFileSync(join(BINFMT, name), 'utf8').startsWith('enabled'),
  );
}

async function runMmdebstrap(
  root: string,
  folder: string,
  options: RootfsOptions,
  progress: Progress,
): Promise<void> {
  const finish = join(folder, 'finish.sh');
  writeFileSync(finish, finishScript(options));
  const hook = `cp ${shellQuote(finish)} "$1/finish.sh" && chroot "$1" sh /finish.sh && rm "$1/finish.sh"`;
  const args = [
    `--architectures=${ARCHITECTURE}`,
    '--mode=root',
    '--format=directory',
    '--variant=minbase',
    `--include=${packageList(options)}`,
    `--customize-hook=${hook}`,
    ...(options.keyring === undefined ? [] : [`--keyring=${options.keyring}`]),
    options.suite,
    root,
    options.mirror,
  ];
  await runTool(requireTool('mmdebstrap', 'mmdebstrap'), args, stepper(progress));
  writeFiles(root, rootfsFiles(options));
}

async function runDebootstrap(root: string, options: RootfsOptions, progress: Progress): Promise<void> {
  const args = [
    '--foreign',
    `--arch=${ARCHITECTURE}`,
    '--variant=minbase',
    `--include=${packageList(options)}`,
    ...(options.keyring === undefined ? [] : [`--keyring=${options.keyring}`]),
    options.suite,
    root,
    options.mirror,
  ];
  await runTool(requireTool('debootstrap', 'debootstrap'), args, stepper(progress));
  // In a container debootstrap can't mount, and leaves links to the host's folders.
  for (const name of ['proc', 'sys', 'dev']) {
    const path = join(root, name);
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
    rmSync(path);
    mkdirSync(path, { mode: 0o755 });
  }
  writeFiles(root, {
    ...rootfsFiles(options),
    ...FIRST_BOOT_FILES,
    'debootstrap.finish': finishScript(options),
  });
  chmodSync(join(root, 'debootstrap.finish'), 0o600);
  const init = join(root, 'usr/sbin/init');
  rmSync(init, { force: true });
  writeFileSync(init, firstBootScript(options.mirror, options.suite), { mode: 0o755 });
}

function packageList({ include }: RootfsOptions): string {
  return [...new Set([...ROOTFS_PACKAGES, ...include])].join(',');
}

function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode: 0o644 });
  }
}

/** Shows the steps of debootstrap and mmdebstrap: every one as progress, few as lines. */
function stepper(progress: Progress): (line: string) => void {
  let shown = '';
  return (line) => {
    const step =
      /^I: (Retrieving|Validating|Extracting|Resolving|downloading|extracting|installing|running)/i.exec(
        line,
      )?.[1];
    if (step === undefined || step === shown) return;
    if (/^(Retrieving|Validating)$/.test(step) && /^(Retrieving|Validating)$/.test(shown)) return;
    shown = step;
    progress.note(`${step.toLowerCase()} packages`);
  };
}

/** Runs a program; its last complaint becomes the error. */
function runTool(
  program: string,
  args: readonly string[],
  line: (text: string) => void,
  explain: (log: string) => PolyvisorError | undefined = () => undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    });
    const log: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (text) => {
        log.push(text);
        if (log.length > 200) log.shift();
        line(text);
      });
    }
    child.on('error', (error) =>
      reject(
        new PolyvisorError('io', { what: "can't run", which: program, limit: error.message, cause: error }),
      ),
    );
    child.on('close', (status, signal) => {
      if (status === 0) return resolve();
      const last = log.filter((text) => /^(E:|W:|mke2fs:|error)/i.test(text)).at(-1) ?? log.at(-1) ?? '';
      reject(
        explain(log.join('\n')) ??
          new PolyvisorError('io', {
            what: `${program} failed`,
            which: last,
            limit: signal ?? `status ${status}`,
          }),
      );
    });
  });
}

function requireTool(name: string, packageName: string): string {
  const path = findTool(name);
  if (path === undefined)
    throw new PolyvisorError('not-found', {
      what: 'a tool is missing',
      which: name,
      hint: `apt install ${packageName}`,
    });
  return path;
}

function findTool(name: string): string | undefined {
  return [...(process.env['PATH'] ?? '').split(delimiter), ...TOOL_FOLDERS]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** crypt(3) hash of a password (SHA-512), by perl, which every Debian has. The password is on no command line. */
export function hashPassword(password: string): string {
  const salt = randomBytes(12).toString('base64').replaceAll('+', '.').slice(0, 16);
  const run = spawnSync(
    'perl',
    ['-e', 'my ($p, $s) = split /\\0/, join("", <STDIN>); print crypt($p, "\\$6\\$$s")'],
    { input: `${password}\0${salt}`, encoding: 'utf8' },
  );
  if (!run.stdout?.startsWith('$6$'))
    throw new PolyvisorError('not-found', {
      what: '--root-password: perl is needed',
      hint: 'apt install perl-base, or use --autologin',
    });
  return run.stdout;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
