export { serveBlockHost } from './serve-block-host.ts';
export type { BlockHost, BlockHostSetup, PresetVolume } from './serve-block-host.ts';
