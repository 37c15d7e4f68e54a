import { PolyvisorError } from '@polyvisor/contracts';
import { get16, get32, get64, hasMagic, put32 } from './big-endian.ts';
import type { HandshakeReader } from './handshake-reader.ts';
import { violation } from './nbd-error.ts';
import {
  EXPORT_FLAG,
  EXPORT_PADDING_BYTES,
  HANDSHAKE_FLAG,
  INFO,
  MAX_PAYLOAD_BYTES,
  NBD_MAGIC,
  OLDSTYLE_MAGIC,
  OPTION,
  OPTION_ERROR_BIT,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_BYTES,
} from './nbd-protocol.ts';
import type { NbdTransport } from './nbd-transport.ts';
import {
  decodeOptionReply,
  decodeServer,
  decodeString,
  encodeGo,
  encodeMetaContextRequest,
  encodeOption,
} from './option-codec.ts';

/** A reply to an option isn't longer; nor is a list of them. */
const MAX_REPLY_BYTES = 64 * 1024;
const MAX_REPLIES = 65536;

/** What a client wants. */
export interface NbdWish {
  /** Empty: the server's default. */
  readonly exportName: string;
  readonly tls: 'never' | 'if-offered' | 'always';
  /** Contexts to select, those that the server has. */
  readonly contexts: readonly string[];
}

/** What a server says of an export. */
export interface NbdExportInfo {
  readonly name: string;
  readonly description: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** Of {@link EXPORT_FLAG}. */
  readonly flags: number;
  readonly structured: boolean;
  readonly minimumBlock: number;
  readonly preferredBlock: number;
  readonly maximumPayload: number;
  /** Numbers of the contexts selected, or 0 where they were only listed. */
  readonly contexts: ReadonlyMap<string, number>;
  readonly secure: boolean;
}

/** An export in a server's list. */
export interface NbdListEntry {
  readonly name: string;
  readonly description: string | undefined;
}

interface Reply {
  readonly type: number;
  readonly data: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const ERROR_NAMES: Readonly<Record<number, string>> = {
  [OPTION_REPLY.unsupported]: 'the server does not know the option',
  [OPTION_REPLY.policy]: "the server's policy forbids it",
  [OPTION_REPLY.invalid]: 'the server calls the option invalid',
  [OPTION_REPLY.platform]: "the server's platform can't do it",
  [OPTION_REPLY.tlsRequired]: 'the server wants TLS',
  [OPTION_REPLY.unknown]: 'the server has no such export',
  [OPTION_REPLY.shutdown]: 'the server is shutting down',
  [OPTION_REPLY.blockSizeRequired]: 'the server wants its block sizes kept',
  [OPTION_REPLY.tooBig]: 'the option or its reply is too big',
};

/** The client's side of the handshake, option by option; what a server says is checked. */
export class ClientHandshake {
  readonly #transport: NbdTransport;
  readonly #reader: HandshakeReader;
  readonly #name: string;
  #fixed = false;
  #noZeroes = false;
  #structured = false;
  #oldstyle: { readonly size: number; readonly flags: number } | undefined;

  /** @param name what errors name: a URL. */
  constructor(transport: NbdTransport, reader: HandshakeReader, name: string) {
    this.#transport = transport;
    this.#reader = reader;
    this.#name = name;
  }

  /** Reads the greeting, and starts TLS if it is wanted. @throws PolyvisorError `corrupt`, `unavailable`, `permission` */
  async begin(tls: NbdWish['tls']): Promise<void> {
    const reader = this.#reader;
    const greeting = await reader.take(16);
    if (!hasMagic(greeting, 0, NBD_MAGIC)) throw this.#violation('no NBD server');
    if (hasMagic(greeting, 8, OLDSTYLE_MAGIC)) {
      if (tls === 'always') throw this.#noTls('the server is too old');
      const rest = await reader.take(12 + EXPORT_PADDING_BYTES);
      this.#oldstyle = { size: this.#size(rest, 0), flags: get32(rest, 8) & 0xffff };
      return;
    }
    if (!hasMagic(greeting, 8, OPTION_MAGIC)) throw this.#violation('unknown handshake');
    const flags = get16(await reader.take(2), 0);
    this.#fixed = (flags & HANDSHAKE_FLAG.fixedNewstyle) !== 0;
    this.#noZeroes = (flags & HANDSHAKE_FLAG.noZeroes) !== 0;
    const own = new Uint8Array(4);
    put32(own, 0, flags & (HANDSHAKE_FLAG.fixedNewstyle | HANDSHAKE_FLAG.noZeroes));
    await reader.send(own);
    if (tls === 'never') return;
    if (!this.#fixed) {
      if (tls === 'always') throw this.#noTls('the server is too old');
      return;
    }
    const { type, data } = await this.#ask(OPTION.startTls);
    if (type !== OPTION_REPLY.ack) {
      if (tls === 'always') throw this.#noTls(this.#reason(type, data));
      return;
    }
    if (this.#transport.startTls === undefined) throw this.#noTls('this end has none');
    // Whatever came in clear after the reply could pretend to have come under TLS.
    if (reader.waitingBytes > 0) throw this.#violation('data before TLS');
    await this.#transport.startTls();
  }

  /** Chooses an export; transmission follows. */
  async go({ exportName, contexts }: NbdWish): Promise<NbdExportInfo> {
    if (this.#oldstyle !== undefined) {
      if (exportName !== '') {
        throw new PolyvisorError('not-found', {
          what: "server is too old for export names; can't ask it for",
          which: exportName,
        });
      }
      return this.#plainInfo('', this.#oldstyle.size, this.#oldstyle.flags);
    }
    if (!this.#fixed) return this.#exportName(exportName);
    await this.#negotiateStructured();
    const chosen =
      this.#structured && contexts.length > 0
        ? await this.#metaContexts(OPTION.setMetaContext, exportName, contexts)
        : new Map<string, number>();
    const info = await this.#info(OPTION.go, exportName);
    return info === undefined ? this.#exportName(exportName) : { ...info, contexts: chosen };
  }

  /** Looks at an export without using it. @returns undefined: the server can't tell without using it. */
  async look(exportName: string): Promise<NbdExportInfo | undefined> {
    if (this.#oldstyle !== undefined) {
      return this.#plainInfo('', this.#oldstyle.size, this.#oldstyle.flags);
    }
    if (!this.#fixed) return undefined;
    await this.#negotiateStructured();
    const info = await this.#info(OPTION.info, exportName);
    if (info === undefined || !this.#structured) return info;
    return { ...info, contexts: await this.#metaContexts(OPTION.listMetaContext, exportName, []) };
  }

  /** Exports of the server. */
  async list(): Promise<readonly NbdListEntry[]> {
    if (this.#oldstyle !== undefined) return [{ name: '', description: undefined }];
    if (!this.#fixed)
      throw new PolyvisorError('unsupported', { what: "server can't list its exports", which: this.#name });
    await this.#reader.send(encodeOption(OPTION.list));
    const entries: NbdListEntry[] = [];
    for await (const { type, data } of this.#replies(OPTION.list)) {
      if (type === OPTION_REPLY.ack) return entries;
      if (type !== OPTION_REPLY.server) throw this.#refused("can't list exports", type, data);
      const entry = decodeServer(data);
      if (entry === undefined) throw this.#violation('export in a list makes no sense');
      entries.push(entry);
    }
    throw this.#violation('too many replies');
  }

  /** Leaves in peace. */
  async abort(): Promise<void> {
    if (this.#fixed) await this.#reader.send(encodeOption(OPTION.abort)).catch(() => {});
    this.#transport.end();
  }

  async #negotiateStructured(): Promise<void> {
    if (this.#structured) return;
    const { type } = await this.#ask(OPTION.structuredReply);
    this.#structured = type === OPTION_REPLY.ack;
  }

  async #metaContexts(
    option: number,
    exportName: string,
    queries: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    await this.#reader.send(encodeOption(option, encodeMetaContextRequest({ name: exportName, queries })));
    const contexts = new Map<string, number>();
    const ids = new Set<number>();
    for await (const { type, data } of this.#replies(option)) {
      if (type === OPTION_REPLY.ack) return contexts;
      if ((type & OPTION_ERROR_BIT) !== 0) return new Map();
      const name = data.length < 4 ? undefined : decodeString(data.subarray(4));
      if (type !== OPTION_REPLY.metaContext || name === undefined) {
        throw this.#violation('metadata context makes no sense');
      }
      const id = get32(data, 0);
      if (option === OPTION.setMetaContext) {
        if (!queries.includes(name) || contexts.has(name) || ids.has(id)) {
          throw this.#violation('metadata context that was not asked for');
        }
        ids.add(id);
      }
      contexts.set(name, id);
    }
    throw this.#violation('too many replies');
  }

  async #info(option: number, exportName: string): Promise<NbdExportInfo | undefined> {
    const requests = [INFO.name, INFO.description, INFO.blockSize];
    await this.#reader.send(encodeOption(option, encodeGo({ name: exportName, requests })));
    let name = exportName;
    let description: string | undefined;
    let sizes = { minimumBlock: 1, preferredBlock: 4096, maximumPayload: MAX_PAYLOAD_BYTES };
    let found: { readonly size: number; readonly flags: number } | undefined;
    for await (const { type, data } of this.#replies(option)) {
      if (type === OPTION_REPLY.ack) {
        if (found === undefined) throw this.#violation('export without a size');
        return { ...this.#plainInfo(name, found.size, found.flags), description, ...sizes };
      }
      if (type === OPTION_REPLY.unsupported) return undefined;
      if (type !== OPTION_REPLY.info) throw this.#refused(`can't use export '${exportName}'`, type, data);
      if (data.length < 2) throw this.#violation('information without a type');
      const kind = get16(data, 0);
      const text = (): string | undefined => decodeString(data.subarray(2));
      if (kind === INFO.name) name = text() ?? name;
      else if (kind === INFO.description) description = text();
      else if (kind === INFO.blockSize) sizes = this.#blockSizes(data);
      else if (kind === INFO.export) {
        if (data.length !== 12) throw this.#violation('information has a wrong length');
        found = { size: this.#size(data, 2), flags: get16(data, 10) };
      }
    }
    throw this.#violation('too many replies');
  }

  #blockSizes(data: Uint8Array): Pick<NbdExportInfo, 'minimumBlock' | 'preferredBlock' | 'maximumPayload'> {
    if (data.length !== 14) throw this.#violation('information has a wrong length');
    const minimumBlock = get32(data, 2);
    const preferredBlock = get32(data, 6);
    const maximumPayload = Math.min(MAX_PAYLOAD_BYTES, get32(data, 10));
    const isPower = (value: number): boolean => value > 0 && Math.log2(value) % 1 === 0;
    if (!isPower(minimumBlock) || minimumBlock > 65536 || !isPower(preferredBlock)) {
      throw this.#violation('block sizes make no sense');
    }
    if (preferredBlock < minimumBlock || maximumPayload < minimumBlock || maximumPayload < 512) {
      throw this.#violation('block sizes make no sense');
    }
    return { minimumBlock, preferredBlock, maximumPayload };
  }

  async #exportName(exportName: string): Promise<NbdExportInfo> {
    await this.#reader.send(encodeOption(OPTION.exportName, new TextEncoder().encode(exportName)));
    // Servers that don't have the export have no way to say so: they hang up.
    const bytes = await this.#reader.take(this.#noZeroes ? 10 : 10 + EXPORT_PADDING_BYTES);
    return this.#plainInfo(exportName, this.#size(bytes, 0), get16(bytes, 8));
  }

  #plainInfo(name: string, size: number, flags: number): NbdExportInfo {
    return {
      name,
      description: undefined,
      size,
      flags: (flags & EXPORT_FLAG.hasFlags) === 0 ? 0 : flags,
      structured: this.#structured,
      minimumBlock: 1,
      preferredBlock: 4096,
      maximumPayload: MAX_PAYLOAD_BYTES,
      contexts: new Map(),
      secure: this.#transport.secure,
    };
  }

  #size(bytes: Uint8Array, at: number): number {
    const size = get64(bytes, at);
    if (Number.isSafeInteger(size)) return size;
    throw new PolyvisorError('unsupported', {
      what: 'NBD export is too large',
      which: this.#name,
      limit: 'at most 2^53 - 1 bytes',
    });
  }

  async #ask(option: number): Promise<Reply> {
    await this.#reader.send(encodeOption(option));
    for await (const reply of this.#replies(option)) return reply;
    throw this.#violation('no reply to an option');
  }

  async *#replies(option: number): AsyncGenerator<Reply> {
    for (let count = 0; count < MAX_REPLIES; count++) {
      const header = decodeOptionReply(await this.#reader.take(OPTION_REPLY_BYTES));
      if (header === undefined) throw this.#violation('wrong magic of a reply');
      if (header.option !== option) throw this.#violation('reply to an option that was not sent');
      if (header.length > MAX_REPLY_BYTES)
        throw this.#violation('reply is too long', `${header.length} bytes`);
      yield {
        type: header.type,
        data: header.length === 0 ? NOTHING : await this.#reader.take(header.length),
      };
    }
  }

  #reason(type: number, data: Uint8Array): string {
    const message = decodeString(data);
    const known = ERROR_NAMES[type] ?? `error 0x${type.toString(16)}`;
    return message === undefined || message === '' ? known : `${known}: ${message}`;
  }

  #refused(what: string, type: number, data: Uint8Array): PolyvisorError {
    if ((type & OPTION_ERROR_BIT) === 0) return this.#violation('unknown type of reply');
    const code =
      type === OPTION_REPLY.unknown
        ? 'not-found'
        : type === OPTION_REPLY.tlsRequired || type === OPTION_REPLY.policy
          ? 'permission'
          : type === OPTION_REPLY.shutdown
            ? 'unavailable'
            : 'unsupported';
    return new PolyvisorError(code, { what, which: this.#name, limit: this.#reason(type, data) });
  }

  #noTls(limit: string): PolyvisorError {
    return new PolyvisorError('permission', { what: 'NBD server does no TLS', which: this.#name, limit });
  }

  #violation(what: string, limit?: string): PolyvisorError {
    return violation(what, this.#name, limit);
  }
}
