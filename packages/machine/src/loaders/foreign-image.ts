import { PolyvisorError } from '@polyvisor/contracts';
import type { ImageFile } from './image-file.ts';

/** Files that users mistake for a RISC-V kernel or firmware, by magic bytes. */
const FOREIGN: readonly { readonly at: number; readonly magic: string; readonly name: string }[] = [
  { at: 0x202, magic: 'HdrS', name: 'an x86 kernel (bzImage)' },
  { at: 0x38, magic: 'ARMd', name: 'an AArch64 kernel (Image)' },
  { at: 0x24, magic: '\x18\x28\x6f\x01', name: 'an ARM kernel (zImage)' },
  { at: 0x38, magic: '\xcd\x23\x82\x81', name: 'a LoongArch kernel (Image)' },
  { at: 0, magic: '\x27\x05\x19\x56', name: 'a U-Boot image (uImage)' },
  { at: 0, magic: '\xd0\x0d\xfe\xed', name: 'a device tree or FIT image' },
  { at: 0, magic: '!<arch>', name: 'an archive (a Debian package?)' },
  { at: 0, magic: 'QFI\xfb', name: 'a qcow2 disk image' },
  { at: 0x8001, magic: 'CD001', name: 'an ISO 9660 image' },
  { at: 0, magic: '070701', name: 'a cpio archive (an initrd?)' },
  { at: 0, magic: 'PK\x03\x04', name: 'a zip archive' },
];

/** No code looks like text for so long. */
const TEXT_BYTES = 256;

/** @throws PolyvisorError `invalid-argument` when the file is something well-known that can't run here. */
export function refuseForeignImage(file: ImageFile, expected: string): void {
  const refuse = (name: string): PolyvisorError =>
    new PolyvisorError('invalid-argument', {
      what: `can't use ${file.role}`,
      which: file.path,
      limit: `it is ${name}`,
      hint: expected,
    });
  for (const { at, magic, name } of FOREIGN) {
    if (at + magic.length > file.size) continue;
    const bytes = new Uint8Array(magic.length);
    file.read(at, bytes);
    if (String.fromCharCode(...bytes) !== magic) continue;
    throw refuse(name);
  }
  const head = new Uint8Array(Math.min(TEXT_BYTES, file.size));
  file.read(0, head);
  if (head.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13)))
    throw refuse('a text file');
}
