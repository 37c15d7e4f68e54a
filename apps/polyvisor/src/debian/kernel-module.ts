import { PolyvisorError } from '@polyvisor/contracts';

/** What a kernel module says about itself in its `.modinfo` section. */
export interface ModuleInfo {
  readonly name: string;
  /** Module names it needs, as written in `depends=`. */
  readonly depends: readonly string[];
  /** Modules to load before it where they exist (`softdep=pre:`). */
  readonly softDepends: readonly string[];
  readonly aliases: readonly string[];
}

const SECTION_HEADER_BYTES = 64;

/** Reads `.modinfo` of a 64-bit little-endian ELF module. Errors: `corrupt`. Source: ELF-64 object file format 1.5. */
export function readModuleInfo(module: Uint8Array): ModuleInfo {
  const lines = new TextDecoder('latin1').decode(findSection(module, '.modinfo')).split('\0');
  const values = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  const name = values('name')[0];
  if (name === undefined) throw corrupt('no name in .modinfo');
  return {
    name,
    depends: values('depends')
      .flatMap((list) => list.split(','))
      .filter((item) => item !== ''),
    softDepends: values('softdep').flatMap(preSoftDependencies),
    aliases: values('alias'),
  };
}

/** Module name of a file path: dashes and underscores mean the same. */
export function moduleNameOfPath(path: string): string {
  return path
    .replace(/^.*\//, '')
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

function preSoftDependencies(line: string): string[] {
  const words = line.split(/\s+/);
  const from = words.indexOf('pre:');
  if (from < 0) return [];
  const rest = words.slice(from + 1);
  const to = rest.indexOf('post:');
  return (to < 0 ? rest : rest.slice(0, to))
    .filter((word) => word !== '')
    .map((word) => word.replaceAll('-', '_'));
}

function findSection(file: Uint8Array, wanted: string): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64 || view.getUint32(0, false) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw corrupt('not a 64-bit ELF file');
  const table = Number(view.getBigUint64(40, true));
  const count = view.getUint16(60, true);
  if (table + count * SECTION_HEADER_BYTES > file.length)
    throw corrupt('section table is outside of the file');
  const section = (index: number) => {
    const at = table + index * SECTION_HEADER_BYTES;
    const offset = Number(view.getBigUint64(at + 24, true));
    const size = Number(view.getBigUint64(at + 32, true));
    return { nameAt: view.getUint32(at, true), bytes: file.subarray(offset, offset + size) };
  };
  const namesIndex = view.getUint16(62, true);
  if (namesIndex >= count) throw corrupt('no section names');
  const names = new TextDecoder('latin1').decode(section(namesIndex).bytes);
  for (let index = 0; index < count; index++) {
    const { nameAt, bytes } = section(index);
    if (names.slice(nameAt, names.indexOf('\0', nameAt)) === wanted) return bytes;
  }
  throw corrupt(`no ${wanted} section`);
}

function corrupt(detail: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: 'not a kernel module', limit: detail });
}
