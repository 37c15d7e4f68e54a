export { blockStatus, chainOf } from './block-status.ts';
export type { ChainExtent } from './block-status.ts';
export { commitImage, emptyImage } from './commit-image.ts';
export { compareImages } from './compare-images.ts';
export type { Comparison } from './compare-images.ts';
export { convertImage } from './convert-image.ts';
export type { ConvertOptions } from './convert-image.ts';
export { RateLimit } from './rate-limit.ts';
export { rebaseImage } from './rebase-image.ts';
