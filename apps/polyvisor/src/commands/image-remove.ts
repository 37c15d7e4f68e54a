import type { CommandHandler } from '../cli/command-spec.ts';
import { cacheFolder } from '../image/cache-folder.ts';
import { withCacheLock } from '../image/cache-lock.ts';
import { parseImageName } from '../image/image-name.ts';
import { createImageStore } from '../image/image-store.ts';
import { missingImage } from './missing-image.ts';

/** `polyvisor image rm`: all of them or, when a name is wrong or missing, none. */
export const imageRemove: CommandHandler = async ({ operands }) => {
  const names = operands.map(parseImageName);
  const store = createImageStore(cacheFolder());
  await withCacheLock(
    store.folder,
    async () => {
      const known = new Set(store.list().map(({ name }) => name));
      const missing = names.find((_, index) => !known.has(operands[index]!));
      if (missing !== undefined) throw missingImage(missing);
      for (const name of names) store.remove(name);
    },
    () => process.stderr.write('polyvisor: waiting for a pull to end\n'),
  );
  return 0;
};
