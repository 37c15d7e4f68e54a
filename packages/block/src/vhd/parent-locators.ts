import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { VhdDynamic, VhdLocator } from './vhd-header.ts';

/** Longest name that is read. */
const NAME_BYTES = 4096;
const SECTOR_BYTES = 512;

/** A name as it stands in the file. */
export interface LocatorData {
  readonly platform: string;
  readonly bytes: Uint8Array;
}

/**
 * The parent's name, as a path here: the relative Windows path before a file URL before an absolute path's last
 * part before the plain name.
 * @returns undefined: there is none.
 */
export async function readParentName(file: BlockNode, header: VhdDynamic): Promise<string | undefined> {
  const names = new Map<string, string>();
  for (const locator of header.locators) {
    const { platform, length, offset } = locator;
    if (length === 0 || length > NAME_BYTES || offset + length > file.size) continue;
    const bytes = new Uint8Array(length);
    await file.read(offset, bytes);
    names.set(
      platform,
      new TextDecoder(platform.startsWith('W2') ? 'utf-16le' : 'utf-8').decode(bytes).replace(/\0.*$/s, ''),
    );
  }
  const relative = names.get('W2ru');
  if (relative !== undefined && relative !== '') return relative.replaceAll('\\', '/').replace(/^\.\//, '');
  const url = names.get('MacX');
  if (url !== undefined && url.startsWith('file://localhost/'))
    return decodeUrl(url.slice('file://localhost'.length));
  if (url !== undefined && url.startsWith('file:///')) return decodeUrl(url.slice('file://'.length));
  const last = names.get('W2ku') ?? header.parentName;
  const name = last.split(/[\\/]/).at(-1);
  return name === '' ? undefined : name;
}

function decodeUrl(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** A parent's name in the forms that other programs look for. @throws PolyvisorError `invalid-argument`: too long. */
export function encodeParentName(reference: string): readonly LocatorData[] {
  if (reference.length > NAME_BYTES / 2 - 2) {
    throw new PolyvisorError('invalid-argument', {
      what: "parent's name is too long for VHD",
      which: reference,
    });
  }
  if (reference.startsWith('/')) {
    return [{ platform: 'MacX', bytes: new TextEncoder().encode(`file://localhost${encodeURI(reference)}`) }];
  }
  return [{ platform: 'W2ru', bytes: utf16(`.\\${reference.replaceAll('/', '\\')}`) }];
}

function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  for (let i = 0; i < text.length; i++) new DataView(bytes.buffer).setUint16(2 * i, text.charCodeAt(i), true);
  return bytes;
}

/** Bytes that a name takes in the file. */
export function locatorSpace({ bytes }: LocatorData): number {
  return Math.ceil(bytes.length / SECTOR_BYTES) * SECTOR_BYTES;
}

/** All eight locators of a header, those not needed empty. */
export function locatorsAt(
  names: readonly { readonly data: LocatorData; readonly offset: number }[],
): VhdLocator[] {
  return Array.from({ length: 8 }, (_, i) => {
    const name = names[i];
    if (name === undefined) return { platform: '\0\0\0\0', space: 0, length: 0, offset: 0 };
    const { data, offset } = name;
    return { platform: data.platform, space: locatorSpace(data), length: data.bytes.length, offset };
  });
}
