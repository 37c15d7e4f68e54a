import type { OptionValues } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { cacheFolder } from '../image/cache-folder.ts';
import { createImageStore, type ImageManifest, type StoredFile } from '../image/image-store.ts';
import { choiceOf } from '../settings/key-values.ts';

export function outputFormat(options: OptionValues): 'text' | 'json' {
  return choiceOf('--format', optionText(options, 'format') ?? 'text', ['text', 'json'] as const);
}

export interface ImageDescription extends Omit<ImageManifest, 'files' | 'format' | 'recipe'> {
  readonly size: number;
  readonly files: Readonly<Record<string, StoredFile & { readonly path: string }>>;
}

/** An image for machine readers: its manifest with the files' paths and the size of them all in bytes. */
export function describeImage({
  format: _format,
  recipe: _recipe,
  files,
  ...rest
}: ImageManifest): ImageDescription {
  const store = createImageStore(cacheFolder());
  const entries = Object.entries(files);
  return {
    ...rest,
    size: entries.reduce((sum, [, { size }]) => sum + size, 0),
    files: Object.fromEntries(entries.map(([key, file]) => [key, { ...file, path: store.path(file) }])),
  };
}
