import { ByteWriter } from './byte-writer.ts';
import type { FunctionWriter } from './function-writer.ts';
import { WASM_TYPE, type WasmType } from './opcodes.ts';

/** Sections in the order that a module must have them (WebAssembly core 3.0, 5.5.2). */
const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const KIND = { function: 0, table: 1, memory: 2 } as const;

/**
 * Puts a module together: types, imports, functions, exports. Memory 0 and table 0 can only be imported.
 * Indices of imported functions are final at once; those of own functions once all imports are in.
 */
export class ModuleWriter {
  private readonly types = new ByteWriter(256);
  private typeCount = 0;
  private readonly typeIndex = new Map<string, number>();
  private readonly imports = new ByteWriter(256);
  private importCount = 0;
  private functionImports = 0;
  private readonly importIndex = new Map<string, number>();
  private readonly functions: number[] = [];
  private readonly exports: { name: string; position: number }[] = [];
  private readonly bodies = new ByteWriter(16384);
  private readonly hints = new ByteWriter(1024);
  private hintedFunctions = 0;
  private readonly hintBuffer = new ByteWriter(1024);

  /** Index of a function type; equal ones share it. */
  type(params: readonly WasmType[], results: readonly WasmType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.typeIndex.get(key);
    if (known !== undefined) return known;
    this.types.u8(0x60);
    this.types.u32(params.length);
    for (const p of params) this.types.u8(WASM_TYPE[p]);
    this.types.u32(results.length);
    for (const r of results) this.types.u8(WASM_TYPE[r]);
    this.typeIndex.set(key, this.typeCount);
    return this.typeCount++;
  }

  /** Imports a shared memory of any size up to 4 GiB. */
  importMemory(module: string, name: string): void {
    this.imports.name(module);
    this.imports.name(name);
    this.imports.u8(KIND.memory);
    this.imports.u8(3);
    this.imports.u32(0);
    this.imports.u32(65536);
    this.importCount++;
  }

  /** Imports a table of functions of any size. */
  importTable(module: string, name: string): void {
    this.imports.name(module);
    this.imports.name(name);
    this.imports.u8(KIND.table);
    this.imports.u8(WASM_TYPE.funcref);
    this.imports.u8(0);
    this.imports.u32(0);
    this.importCount++;
  }

  /** Function index of an import; importing the same name again gives the same index. */
  importFunction(
    module: string,
    name: string,
    params: readonly WasmType[],
    results: readonly WasmType[],
  ): number {
    const key = `${module}.${name}`;
    const known = this.importIndex.get(key);
    if (known !== undefined) return known;
    if (this.functions.length > 0) throw new Error(`${key} imported after own functions`);
    const type = this.type(params, results);
    this.imports.name(module);
    this.imports.name(name);
    this.imports.u8(KIND.function);
    this.imports.u32(type);
    this.importCount++;
    this.importIndex.set(key, this.functionImports);
    return this.functionImports++;
  }

  /** Takes over a function that has been written. @returns its position among the module's own functions. */
  addFunction(type: number, body: FunctionWriter): number {
    this.functions.push(type);
    this.hintBuffer.reset();
    const count = body.finish(this.bodies, this.hintBuffer);
    const position = this.functions.length - 1;
    if (count > 0) {
      this.hintedFunctions++;
      this.hints.u32(position);
      this.hints.u32(count);
      this.hints.append(this.hintBuffer);
    }
    return position;
  }

  /** Function index of an own function. Import everything first. */
  functionIndex(position: number): number {
    return this.functionImports + position;
  }

  exportFunction(name: string, position: number): void {
    this.exports.push({ name, position });
  }

  /** The finished module. */
  finish(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(this.bodies.length + this.imports.length + 1024);
    out.fixed32(0x6d736100);
    out.fixed32(1);
    const content = new ByteWriter(1024);
    const section = (id: number): void => {
      out.u8(id);
      out.u32(content.length);
      out.append(content);
      content.reset();
    };
    content.u32(this.typeCount);
    content.append(this.types);
    section(SECTION.type);
    content.u32(this.importCount);
    content.append(this.imports);
    section(SECTION.import);
    content.u32(this.functions.length);
    for (const type of this.functions) content.u32(type);
    section(SECTION.function);
    content.u32(this.exports.length);
    for (const { name, position } of this.exports) {
      content.name(name);
      content.u8(KIND.function);
      content.u32(this.functionIndex(position));
    }
    section(SECTION.export);
    if (this.hintedFunctions > 0) this.writeHints(content, section);
    content.u32(this.functions.length);
    content.append(this.bodies);
    section(SECTION.code);
    return out.take();
  }

  private writeHints(content: ByteWriter, section: (id: number) => void): void {
    content.name('metadata.code.branch_hint');
    content.u32(this.hintedFunctions);
    // Positions become function indices here, as imports may have been added after the function.
    const bytes = this.hints.take();
    let at = 0;
    const u32 = (): number => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++]!;
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    while (at < bytes.length) {
      content.u32(this.functionIndex(u32()));
      const count = u32();
      content.u32(count);
      for (let i = 0; i < count; i++) {
        content.u32(u32());
        content.u8(bytes[at++]!);
        content.u8(bytes[at++]!);
      }
    }
    section(SECTION.custom);
  }
}
