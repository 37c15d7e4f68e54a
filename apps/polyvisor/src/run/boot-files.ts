import { statSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { FirmwareConfig } from '@polyvisor/machine';
import { cacheFolder } from '../image/cache-folder.ts';
import { parseImageName, type ImageName } from '../image/image-name.ts';
import {
  createImageStore,
  type ImageFileKey,
  type ImageManifest,
  type ImageStore,
} from '../image/image-store.ts';
import type { RunSettings } from '../settings/run-settings.ts';

/** The files a machine starts from. */
export interface BootFiles {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly firmware: FirmwareConfig;
}

/** Where Debian's packages (opensbi, qemu-system-data) put firmware that a kernel of the user's own can start from. */
const HOST_FIRMWARE = [
  '/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin',
  '/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin',
];

const FIRMWARE_IMAGE = 'opensbi:trixie/riscv64';

export interface BootFileSources {
  readonly store: ImageStore;
  readonly hostFirmware: readonly string[];
  /** Brings a missing image into the store. */
  pull(name: ImageName): Promise<ImageManifest>;
}

/** The real sources: the user's cache, filled from the Debian mirror when an image is missing. */
export function defaultSources(): BootFileSources {
  return {
    store: createImageStore(cacheFolder()),
    hostFirmware: HOST_FIRMWARE,
    pull: async (name) => (await import('../image/pull-to-cache.ts')).pullToCache(name),
  };
}

/** Finds kernel, initrd, firmware and command line. Errors: those of a pull; `corrupt` for a damaged cache. */
export async function resolveBootFiles(
  settings: RunSettings,
  terminal: readonly string[],
  sources: BootFileSources,
): Promise<BootFiles> {
  const { kernel, initrd, append, image } = settings;
  if (image === undefined) {
    return {
      ...(kernel === undefined ? {} : { kernel }),
      ...(initrd === undefined ? {} : { initrd }),
      ...(append === undefined ? {} : { append }),
      firmware: await firmwareOf(settings.firmware, undefined, sources),
    };
  }
  const manifest = await manifestOf(image, sources);
  const device = settings.console === 'virtio' ? 'hvc0' : 'ttyS0';
  return {
    kernel: fileOf(manifest, 'kernel', sources),
    initrd: initrd ?? fileOf(manifest, 'initrd', sources),
    append: [manifest.append, `console=${device}`, ...terminal, append]
      .filter((part) => part !== undefined && part !== '')
      .join(' '),
    firmware: await firmwareOf(settings.firmware, manifest, sources),
  };
}

async function firmwareOf(
  choice: string,
  manifest: ImageManifest | undefined,
  sources: BootFileSources,
): Promise<FirmwareConfig> {
  if (choice === 'builtin' || choice === 'none') return { kind: choice };
  if (choice !== 'opensbi') return { kind: 'file', path: choice };
  if (manifest !== undefined) return { kind: 'file', path: fileOf(manifest, 'fw_dynamic', sources) };
  const onHost = sources.hostFirmware.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  if (onHost !== undefined) return { kind: 'file', path: onHost };
  return { kind: 'file', path: fileOf(await manifestOf(FIRMWARE_IMAGE, sources), 'fw_dynamic', sources) };
}

async function manifestOf(image: string, sources: BootFileSources): Promise<ImageManifest> {
  const name = parseImageName(image);
  return sources.store.read(name) ?? (await sources.pull(name));
}

function fileOf(manifest: ImageManifest, key: ImageFileKey, { store }: BootFileSources): string {
  const file = manifest.files[key];
  if (file === undefined)
    throw new PolyvisorError('corrupt', {
      what: 'the image has no such file',
      which: `${manifest.name}: ${key}`,
      hint: `run: polyvisor image pull --force ${manifest.name}`,
    });
  return store.path(file);
}
