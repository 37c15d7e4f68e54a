import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import { formatImageName, type ImageName } from './image-name.ts';

/** A file of an image, kept under its checksum. */
export interface StoredFile {
  readonly sha256: string;
  readonly size: number;
}

/** The files an image may have; all but the firmware are absent from an `opensbi` image. */
export type ImageFileKey = 'kernel' | 'initrd' | 'fw_jump' | 'fw_dynamic';

/** What is known about a pulled image; one JSON file each. */
export interface ImageManifest {
  readonly format: 1;
  /** The recipe's version: an image of an older recipe is built again by the next pull. */
  readonly recipe: number;
  readonly name: string;
  readonly trust: 'signature' | 'checksums-only';
  readonly trustDetail: string;
  readonly mirror: string;
  /** ISO 8601. */
  readonly pulledAt: string;
  readonly packages: readonly { readonly name: string; readonly version: string; readonly sha256: string }[];
  readonly append: string;
  readonly files: Readonly<Partial<Record<ImageFileKey, StoredFile>>>;
}

/** The cache of pulled images: content-addressed files and manifests that refer to them. Readers need no lock. */
export interface ImageStore {
  readonly folder: string;
  readonly downloads: string;
  /** Undefined when the image is not there. Errors: `corrupt` when one of its files is gone or cut. */
  read(name: ImageName): ImageManifest | undefined;
  list(): ImageManifest[];
  path(file: StoredFile): string;
  /** Stores bytes; they appear whole or not at all. Call under the lock. */
  put(bytes: Uint8Array): StoredFile;
  /** Makes an image known, once all its files are stored. Call under the lock. */
  publish(name: ImageName, manifest: ImageManifest): void;
  /** Forgets an image and deletes what no other uses; tells whether it was there. Call under the lock. */
  remove(name: ImageName): boolean;
  /** Deletes what no image uses, and leftovers of interrupted work. Call under the lock. */
  collectGarbage(): void;
}

export function createImageStore(folder: string): ImageStore {
  const blobs = join(folder, 'blobs');
  const images = join(folder, 'images');
  const temporary = join(folder, 'tmp');
  const manifestPath = ({ kind, suite, architecture }: ImageName) =>
    join(images, `${kind}-${suite}-${architecture}.json`);
  const blobPath = (file: StoredFile) => join(blobs, file.sha256);

  function writeWhole(path: string, bytes: Uint8Array): void {
    mkdirSync(temporary, { recursive: true });
    mkdirSync(dirname(path), { recursive: true });
    const part = join(temporary, randomBytes(8).toString('hex'));
    try {
      const descriptor = openSync(part, 'wx', 0o644);
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(part, path);
    } catch (error) {
      rmSync(part, { force: true });
      throw new PolyvisorError('io', {
        what: "can't write to the image cache",
        which: path,
        limit: (error as Error).message,
        hint: 'free some space or set XDG_CACHE_HOME',
        cause: error,
      });
    }
  }

  function readManifest(path: string): ImageManifest | undefined {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
    try {
      const manifest = JSON.parse(text) as ImageManifest;
      return manifest.format === 1 && typeof manifest.files === 'object' ? manifest : undefined;
    } catch {
      return undefined;
    }
  }

  function list(): ImageManifest[] {
    if (!existsSync(images)) return [];
    return readdirSync(images)
      .sort()
      .flatMap((name) => readManifest(join(images, name)) ?? []);
  }

  return {
    folder,
    downloads: join(folder, 'downloads'),
    read(name) {
      const manifest = readManifest(manifestPath(name));
      for (const file of Object.values(manifest?.files ?? {})) {
        const size = statSync(blobPath(file), { throwIfNoEntry: false })?.size;
        if (size === file.size) continue;
        throw new PolyvisorError('corrupt', {
          what: 'a file of the pulled image is damaged',
          which: blobPath(file),
          limit: size === undefined ? 'it is gone' : `${size} bytes instead of ${file.size}`,
          hint: `run: polyvisor image pull --force ${formatImageName(name)}`,
        });
      }
      return manifest;
    },
    list,
    path: blobPath,
    put(bytes) {
      const file = { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
      if (statSync(blobPath(file), { throwIfNoEntry: false })?.size !== file.size)
        writeWhole(blobPath(file), bytes);
      return file;
    },
    publish(name, manifest) {
      writeWhole(manifestPath(name), new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`));
    },
    remove(name) {
      const path = manifestPath(name);
      if (!existsSync(path)) return false;
      rmSync(path);
      this.collectGarbage();
      return true;
    },
    collectGarbage() {
      const used = new Set(list().flatMap(({ files }) => Object.values(files).map(({ sha256 }) => sha256)));
      for (const name of existsSync(blobs) ? readdirSync(blobs) : []) {
        if (!used.has(name)) rmSync(join(blobs, name));
      }
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}
