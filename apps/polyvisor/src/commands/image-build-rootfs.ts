import { resolve } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { buildRootfs, hashPassword } from '../image/build-rootfs.ts';
import { IMAGE_SUITES } from '../image/image-name.ts';
import { createProgress } from '../image/progress.ts';
import { archiveOf } from '../image/pull-to-cache.ts';
import { choiceOf } from '../settings/key-values.ts';
import { formatSize, parseSize } from '../settings/size.ts';
import { outputFormat } from './image-output.ts';

const SIZE_LIMITS = { least: 512 * 2 ** 20, most: 2 ** 40 };

/** `polyvisor image build-rootfs`. */
export const imageBuildRootfs: CommandHandler = async ({ options }) => {
  const format = outputFormat(options);
  const output = optionText(options, 'output');
  if (output === undefined) throw refuse('--output is missing', undefined, 'for example --output disk.raw');
  const size = named('--size', () => parseSize(optionText(options, 'size') ?? '2G', SIZE_LIMITS));
  const suite = choiceOf('--suite', optionText(options, 'suite') ?? 'trixie', IMAGE_SUITES);
  const hostname = optionText(options, 'hostname') ?? 'polyvisor';
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(hostname))
    throw refuse('--hostname: bad host name', hostname, 'letters, digits and dashes, at most 63');
  const include = ((options['include'] as readonly string[] | undefined) ?? [])
    .flatMap((list) => list.split(','))
    .filter((name) => name !== '');
  const bad = include.find((name) => !/^[a-z0-9][a-z0-9+.-]+$/.test(name));
  if (bad !== undefined)
    throw refuse('--include: not a package name', bad, 'write package names separated by commas');
  const password = optionText(options, 'root-password');
  const autologin = options['autologin'] === true;
  if (password === undefined && !autologin)
    throw refuse('nobody could log in', undefined, 'add --autologin or --root-password TEXT');
  if (password !== undefined && (password === '' || /[\0\n]/.test(password)))
    throw refuse('--root-password: bad password', '(hidden)', 'at least one character, no line ends');

  const path = resolve(output);
  const kind = await buildRootfs(
    {
      output: path,
      force: options['force'] === true,
      size,
      suite,
      hostname,
      include,
      autologin,
      ...(password === undefined ? {} : { passwordHash: hashPassword(password) }),
      ...archiveOf(optionText(options, 'mirror')),
    },
    await createProgress(),
  );
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ output: path, size, suite, hostname, kind }, undefined, 2)}\n`);
    return 0;
  }
  process.stdout.write(
    `${path}: Debian ${suite}, ${formatSize(size)}${kind === 'first-boot' ? '; its first start configures the packages and takes some minutes' : ''}\n`,
  );
  process.stdout.write(`start it with: polyvisor run --disk ${output} --append "root=/dev/vda rw"\n`);
  return 0;
};

function named<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof PolyvisorError)) throw error;
    throw new PolyvisorError(error.code, { ...error.parts, what: `${option}: ${error.parts.what}` });
  }
}

function refuse(what: string, which: string | undefined, hint: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what, ...(which === undefined ? {} : { which }), hint });
}
