import type { Logger } from '@polyvisor/contracts';
import type { BlockNode, IoOptions } from './block-node.ts';
import type { FormatNode, Json, OptionValue } from './format-node.ts';

/** What names a node: a path or URL, `json:{…}`, or options with a `driver` among them, as in QEMU's `-blockdev`. */
export type ImageReference = string | { readonly [option: string]: Json };

/** An option of a driver: parsing, defaults and help come from this row. */
export interface DriverOption {
  readonly name: string;
  /** `size`: bytes, with suffixes k, M, G, T when given as text; a list: one of these words. */
  readonly type: 'string' | 'size' | 'number' | 'boolean' | readonly string[];
  readonly default?: OptionValue;
  readonly help: string;
  /** Can be changed later with `amend`. */
  readonly amendable?: boolean;
}

/** Values by option name, of the option's type; those with a default are always there. */
export type OptionValues = Readonly<Record<string, OptionValue>>;

/** Why an image is opened: some broken ones may be opened to look or to repair only. */
export type OpenPurpose = 'io' | 'info' | 'check' | 'repair';

/** How a format or filter is opened. */
export interface FormatOpenOptions extends IoOptions {
  readonly readOnly: boolean;
  /** Of {@link FormatDriver.openOptions}. */
  readonly values: OptionValues;
  readonly purpose?: OpenPurpose;
}

/** What an image is made with. */
export interface FormatCreateOptions extends IoOptions {
  /** Bytes of the disk. */
  readonly size: number;
  /** Of {@link FormatDriver.createOptions}; `backing_file` and `backing_fmt` among them where the format can. */
  readonly values: OptionValues;
}

/** How many bytes a file would need. */
export interface Measurement {
  readonly required: number;
  readonly fullyAllocated: number;
  readonly bitmaps?: number;
}

/**
 * How a format (or filter) opens what stands beside its own file. References are relative to that file; a folder
 * that the user allowed is kept to; depth and cycles are checked.
 */
export interface OpenContext {
  readonly logger: Logger;
  /** What the file is called in errors, and what relative references are relative to. */
  readonly name: string;
  /**
   * The backing image, opened as the user said, or else as the image says, read-only; undefined when the user wants
   * the chain to end here. Call it once, with what the header says, undefined for none (the user may name one).
   * @throws PolyvisorError `not-found`, `corrupt` (a cycle, too deep), `permission` (outside the allowed folder),
   * `unsupported` (its format isn't recorded and it isn't raw).
   */
  openBacking(
    reference: string | undefined,
    format: string | undefined,
    options?: {
      /** This format has no place for the backing file's format: it is looked for. */
      readonly unrecordable?: boolean;
    },
  ): Promise<BlockNode | undefined>;
  /**
   * A file beside this one (an extent, a data file), as bytes.
   * @param option name of the open option with which the user may have named it or given its options: `data-file`.
   */
  openFile(
    reference: string,
    options: { readonly readOnly: boolean; readonly growable?: boolean; readonly option?: string },
  ): Promise<BlockNode>;
  /** A disk image beside this one, of any format (VMDK and VHDX parents). */
  openImage(
    reference: string,
    options: { readonly readOnly: boolean; readonly format?: string },
  ): Promise<BlockNode>;
  /** Makes a file beside this one, empty and growable; one that exists loses its contents. */
  createFile(reference: string): Promise<BlockNode>;
  /** A password or key that the user gave under this name. @throws PolyvisorError `not-found` */
  secret(id: string): Promise<Uint8Array>;
}

/** A format or filter; reached through its row in `drivers.ts`, which loads it when it is needed. */
export interface FormatDriver {
  readonly openOptions: readonly DriverOption[];
  /**
   * Opens the image in `file`, which then belongs to the node; on failure it still belongs to the caller. `file` is
   * growable: reads beyond its end give zeroes, writes there make it longer.
   */
  open(file: BlockNode, options: FormatOpenOptions, context: OpenContext): Promise<FormatNode>;
  /** Absent: this format can't be made. */
  readonly createOptions?: readonly DriverOption[];
  /** What `amend` takes beyond the creation options that can be changed. */
  readonly amendOptions?: readonly DriverOption[];
  /** Writes an empty image into `file`, which is empty, growable, and stays the caller's to close. */
  create?(file: BlockNode, options: FormatCreateOptions, context: OpenContext): Promise<void>;
  /** Bytes that an image would take: with nothing but `allocated` bytes of data in it, and full. */
  measure?(options: FormatCreateOptions & { readonly source?: BlockNode }): Promise<Measurement>;
}

/** How a protocol is opened. */
export interface ProtocolOpenOptions extends IoOptions {
  /** The part of the reference this protocol understands: a path, a URL. Undefined: all is in `values`. */
  readonly reference?: string;
  readonly readOnly: boolean;
  /** Reads beyond the end give zeroes, writes there make it longer. */
  readonly growable?: boolean;
  /** Of {@link ProtocolDriver.openOptions}; unknown names have been refused. */
  readonly values: OptionValues;
  /** Paths that came out of images must lie below it, links resolved. */
  readonly allowedFolder?: string;
  /** No lock is taken, and others' are not looked at (`qemu-img -U`). */
  readonly shared?: boolean;
  readonly logger: Logger;
  /** A password or key that the user gave under this name. @throws PolyvisorError `not-found` */
  secret(id: string): Promise<Uint8Array>;
}

/** Bytes from somewhere: a file, memory, the network. */
export interface ProtocolDriver {
  readonly openOptions: readonly DriverOption[];
  open(options: ProtocolOpenOptions): Promise<BlockNode>;
  /** Makes it, empty, or empties it; gives it open, growable. Absent: it can't be made. */
  create?(options: ProtocolOpenOptions & { readonly size?: number }): Promise<BlockNode>;
  /** Equal for two references to the same thing; undefined: can't be known. */
  identify?(reference: string): Promise<string | undefined>;
  /** A reference found inside the image `base`, made absolute. Absent: as URLs and paths are joined. */
  resolve?(base: string, reference: string): string;
}

/** A row of the table of formats and filters. */
export interface FormatRow {
  readonly kind: 'format' | 'filter';
  readonly name: string;
  readonly help: string;
  /**
   * How sure the first bytes of a file (at most {@link PROBE_BYTES}) are of this format, 0 to 100. Must be cheap and
   * must not import the format.
   */
  probe?(head: Uint8Array, name: string): number;
  load(): Promise<FormatDriver>;
}

/** A row of the table of protocols. */
export interface ProtocolRow {
  readonly kind: 'protocol';
  readonly name: string;
  readonly help: string;
  /** What stands before the colon in references: `nbd`, `https`. */
  readonly schemes?: readonly string[];
  load(): Promise<ProtocolDriver>;
}

/** One driver, by name. */
export type DriverRow = FormatRow | ProtocolRow;

/** Bytes of a file that probes see; as in QEMU. */
export const PROBE_BYTES = 2048;
