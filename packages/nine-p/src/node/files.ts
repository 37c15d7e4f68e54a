import * as fs from 'node:fs';
import { promisify } from 'node:util';

/** A path that needn't be UTF-8. */
export type HostPath = string | Uint8Array;
export type HostStats = fs.BigIntStats;

type Path = fs.PathLike;

// Descriptors as numbers: a FileHandle costs more, and is closed by the garbage collector when it pleases.
export const openFile = promisify(fs.open) as (
  path: HostPath,
  flags: number,
  mode?: number,
) => Promise<number>;
export const closeFile = promisify(fs.close);
export const syncFile = promisify(fs.fsync);
export const syncFileData = promisify(fs.fdatasync);
export const truncateFile = promisify(fs.ftruncate);
export const changeFileMode = promisify(fs.fchmod);
export const removeFile = promisify(fs.unlink) as (path: HostPath) => Promise<void>;
export const removeDirectory = promisify(fs.rmdir) as (path: HostPath) => Promise<void>;
export const makeSymlink = promisify(fs.symlink) as (target: HostPath, path: HostPath) => Promise<void>;
export const makeLink = promisify(fs.link) as (from: HostPath, to: HostPath) => Promise<void>;
export const renameFile = promisify(fs.rename) as (from: HostPath, to: HostPath) => Promise<void>;
export const changeMode = promisify(fs.chmod);
export const changeTimes = promisify(fs.utimes);

export function statFile(fd: number): Promise<HostStats> {
  return new Promise((resolve, reject) =>
    fs.fstat(fd, { bigint: true }, (error, stats) => (error === null ? resolve(stats) : reject(error))),
  );
}

/** Looks at the object that is named, not at what a link points to. */
export function statLink(path: HostPath): Promise<HostStats> {
  return new Promise((resolve, reject) =>
    fs.lstat(path as Path, { bigint: true }, (error, stats) =>
      error === null ? resolve(stats) : reject(error),
    ),
  );
}

export function statTree(path: string): Promise<fs.BigIntStatsFs> {
  return new Promise((resolve, reject) =>
    fs.statfs(path, { bigint: true }, (error, stats) => (error === null ? resolve(stats) : reject(error))),
  );
}

export function makeDirectory(path: HostPath, mode: number): Promise<void> {
  return new Promise((resolve, reject) =>
    fs.mkdir(path as Path, mode, (error) => (error === null ? resolve() : reject(error))),
  );
}

export function readNames(path: string): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) =>
    fs.readdir(path, { encoding: 'buffer' }, (error, names) =>
      error === null ? resolve(names) : reject(error),
    ),
  );
}

export function readLinkTarget(path: HostPath): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    fs.readlink(path as Path, { encoding: 'buffer' }, (error, target) =>
      error === null ? resolve(target) : reject(error),
    ),
  );
}

export function readAt(fd: number, target: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.read(fd, target, 0, target.length, offset, (error, count) =>
      error === null ? resolve(count) : reject(error),
    ),
  );
}

export function writeAt(fd: number, source: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) =>
    fs.write(fd, source, 0, source.length, offset, (error, count) =>
      error === null ? resolve(count) : reject(error),
    ),
  );
}
