export { NODE_DRIVERS } from './drivers.ts';
export { openFileNode } from './file/open-file.ts';
export type { CacheMode, OpenFileOptions } from './file/open-file.ts';
export { openRawImage } from './raw-image.ts';
export type { RawImage, RawImageOptions } from './raw-image.ts';
