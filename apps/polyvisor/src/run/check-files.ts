import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import { hostReason } from '../settings/host-reason.ts';
import type { RunSettings } from '../settings/run-settings.ts';

/** Checks that every named host file is there and of the right kind, before anything is made. Errors: `not-found`, `permission`, `invalid-argument`. */
export function checkFiles({ kernel, initrd, firmware, disks, shares }: RunSettings): void {
  if (kernel !== undefined) requireFile('--kernel', kernel);
  if (initrd !== undefined) requireFile('--initrd', initrd);
  if (firmware.startsWith('/')) requireFile('--firmware', firmware);
  for (const { path, format, readOnly } of disks) {
    requireFile('--disk', path, true);
    if (format === 'raw') refuseContainer(path);
    if (!readOnly) requireAccess('--disk', path, constants.R_OK | constants.W_OK, 'open it with readonly=on');
  }
  for (const { path, readOnly } of shares) {
    if (!stat('--share', path).isDirectory())
      throw new PolyvisorError('invalid-argument', { what: '--share: not a folder', which: path });
    requireAccess(
      '--share',
      path,
      constants.R_OK | constants.X_OK | (readOnly ? 0 : constants.W_OK),
      'share it with readonly=on',
    );
  }
}

/** Disk images whose bytes are not the disk's, and archives of images, by how they begin. */
const CONTAINERS: readonly (readonly [magic: string, name: string, hint: string])[] = [
  ['QFI\xfb', 'a qcow2 image', 'add format=qcow2'],
  ['KDMV', 'a VMDK image', 'add format=vmdk'],
  ['vhdxfile', 'a VHDX image', 'add format=vhdx'],
  ['conectix', 'a VHD image', 'add format=vpc'],
  ['<<< ', 'a VDI image', 'add format=vdi'],
  ['\xfd7zXZ\0', 'compressed with xz', 'decompress it first'],
  ['\x1f\x8b\x08', 'compressed with gzip', 'decompress it first'],
  ['\x28\xb5\x2f\xfd', 'compressed with zstd', 'decompress it first'],
];

/** A guest would see rubbish and, asked to make a file system, destroy the image. */
function refuseContainer(path: string): void {
  const head = Buffer.alloc(8);
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const found = CONTAINERS.find(([magic]) => head.toString('latin1').startsWith(magic));
  if (found === undefined) return;
  throw new PolyvisorError('unsupported', {
    what: '--disk: not a raw image',
    which: path,
    limit: `it is ${found[1]}`,
    hint: found[2],
  });
}

function requireFile(option: string, path: string, blockDevice = false): void {
  const found = stat(option, path);
  if (!found.isFile() && !(blockDevice && found.isBlockDevice())) {
    throw new PolyvisorError('invalid-argument', {
      what: `${option}: not a file`,
      which: path,
      limit: found.isDirectory() ? 'it is a folder' : 'it is a special file',
    });
  }
  if (found.isFile() && found.size === 0)
    throw new PolyvisorError('invalid-argument', { what: `${option}: the file is empty`, which: path });
  requireAccess(option, path, constants.R_OK, 'check its permissions');
}

function stat(option: string, path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw refusal(option, path, error, 'check the path');
  }
}

function requireAccess(option: string, path: string, mode: number, hint: string): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    throw refusal(option, path, error, hint);
  }
}

function refusal(option: string, path: string, error: unknown, hint: string): PolyvisorError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return new PolyvisorError(code === 'ENOENT' || code === 'ENOTDIR' ? 'not-found' : 'permission', {
    what: `${option}: can't open`,
    which: path,
    limit: hostReason(error),
    hint,
    cause: error,
  });
}
