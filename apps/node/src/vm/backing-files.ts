import type { DiskConfig } from '@polyvisor/machine';

/**
 * Files below a VM's disks that its block host reads, besides the images themselves. Images are opened as they are,
 * without locks, and closed again.
 * @throws PolyvisorError (rejects) when a chain can't be opened.
 */
export async function backingFilesOf(disks: readonly DiskConfig[]): Promise<string[]> {
  const layered = disks.filter(({ format }) => format !== 'raw');
  if (layered.length === 0) return [];
  const [{ chainOf, openImage }, { NODE_DRIVERS }] = await Promise.all([
    import('@polyvisor/block'),
    import('@polyvisor/block/node'),
  ]);
  const files: string[] = [];
  for (const { path, format } of layered) {
    const image = await openImage(path, { readOnly: true, format, shared: true }, { drivers: NODE_DRIVERS });
    try {
      files.push(
        ...chainOf(image)
          .slice(1)
          .map(({ name }) => name),
      );
    } finally {
      await image.close();
    }
  }
  return [...new Set(files)];
}
