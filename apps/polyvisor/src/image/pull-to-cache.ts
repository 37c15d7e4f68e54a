import { chooseDebianArchive, readAptSources } from '../debian/apt-sources.ts';
import { createHttpClient } from '../debian/http-client.ts';
import { PolyvisorError } from '@polyvisor/contracts';
import { cacheFolder } from './cache-folder.ts';
import { withCacheLock } from './cache-lock.ts';
import { formatImageName, type ImageName } from './image-name.ts';
import { createImageStore, type ImageManifest } from './image-store.ts';
import { createProgress } from './progress.ts';
import { pullImage, type PullResult } from './pull-image.ts';

/** How a pull may differ from the default. */
export interface PullToCacheOptions {
  readonly mirror?: string;
  readonly allowUnsigned?: boolean;
  readonly force?: boolean;
}

/** Pulls an image that `polyvisor run` found missing. */
export async function pullToCache(name: ImageName): Promise<ImageManifest> {
  return (await pullNamed(name, {}, true)).manifest;
}

/**
 * Pulls an image into the user's cache, with progress on standard error.
 * With `ifMissing` an image that another process brought meanwhile is taken as it is.
 */
export async function pullNamed(
  name: ImageName,
  options: PullToCacheOptions,
  ifMissing = false,
): Promise<PullResult> {
  const archive = archiveOf(options.mirror);
  const store = createImageStore(cacheFolder());
  const progress = await createProgress();
  const client = createHttpClient();
  try {
    return await withCacheLock(
      store.folder,
      async () => {
        const present = ifMissing ? store.read(name) : undefined;
        if (present !== undefined) return { manifest: present, changed: false };
        progress.note(`pulling ${formatImageName(name)} from ${archive.mirror}`);
        return await pullImage(
          name,
          { ...archive, allowUnsigned: options.allowUnsigned ?? false, force: options.force ?? false },
          store,
          client,
          progress,
        );
      },
      () => progress.note('waiting for another pull to end'),
    );
  } finally {
    client.close();
  }
}

/** The Debian archive to use: the given one, or that of the host's apt. Errors: `invalid-argument`. */
export function archiveOf(mirror: string | undefined): { mirror: string; keyring?: string } {
  if (mirror === undefined) {
    const { uri, signedBy } = chooseDebianArchive(readAptSources());
    return { mirror: uri, ...(signedBy === undefined ? {} : { keyring: signedBy }) };
  }
  if (!/^https?:\/\/[^/]/.test(mirror) || !URL.canParse(mirror)) {
    throw new PolyvisorError('invalid-argument', {
      what: '--mirror: not an http(s) URL',
      which: mirror,
      hint: 'for example http://deb.debian.org/debian',
    });
  }
  return { mirror: mirror.replace(/\/+$/, '') };
}
