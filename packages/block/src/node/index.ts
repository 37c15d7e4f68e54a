export { openRawImage } from './raw/raw-image.ts';
export type { RawImage, RawImageOptions } from './raw/raw-image.ts';
