import { get32, put16, put64, putMagic } from './big-endian.ts';
import type { HandshakeReader } from './handshake-reader.ts';
import { violation } from './nbd-error.ts';
import { blockSizesOf, contextsOf, exportFlags, matchContexts } from './nbd-export.ts';
import type { MetaContext, NbdExport } from './nbd-export.ts';
import {
  EXPORT_PADDING_BYTES,
  HANDSHAKE_FLAG,
  INFO,
  MAX_PAYLOAD_BYTES,
  NBD_MAGIC,
  OPTION,
  OPTION_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY,
} from './nbd-protocol.ts';
import type { NbdTransport } from './nbd-transport.ts';
import {
  decodeGo,
  decodeMetaContextRequest,
  decodeOption,
  decodeString,
  encodeBlockSizeInfo,
  encodeExportInfo,
  encodeMetaContext,
  encodeOptionReply,
  encodeServer,
  encodeTextInfo,
} from './option-codec.ts';

/** Longer option data is not looked at. */
const MAX_OPTION_BYTES = 64 * 1024;
/** Most contexts that a connection has. */
const MAX_CONTEXTS = 64;
/** Options that a client may send before it uses one. */
const MAX_OPTIONS = 1024;

/** What a server offers at the moment. */
export interface NbdOffer {
  readonly exports: ReadonlyMap<string, NbdExport>;
  readonly tls: 'off' | 'optional' | 'required';
  /** Names may be listed. */
  readonly listable: boolean;
  readonly shuttingDown: boolean;
}

/** What a client and a server agreed on. */
export interface NbdAgreement {
  readonly entry: NbdExport;
  readonly structured: boolean;
  /** Also sets whether DF was offered. */
  readonly contexts: readonly MetaContext[];
}

/** The state that options change and STARTTLS forgets. */
interface Haggling {
  structured: boolean;
  contexts: readonly MetaContext[];
  /** The export that they were chosen for. */
  contextsOf: NbdExport | undefined;
}

const NOTHING = new Uint8Array(0);

/**
 * The server's side of newstyle negotiation, fixed or not.
 * @returns undefined: the client left in peace.
 * @throws PolyvisorError `corrupt`, `unavailable`: the connection must be dropped without a word.
 */
export async function serveHandshake(
  transport: NbdTransport,
  reader: HandshakeReader,
  offer: () => NbdOffer,
): Promise<NbdAgreement | undefined> {
  const greeting = new Uint8Array(18);
  putMagic(greeting, 0, NBD_MAGIC);
  putMagic(greeting, 8, OPTION_MAGIC);
  put16(greeting, 16, HANDSHAKE_FLAG.fixedNewstyle | HANDSHAKE_FLAG.noZeroes);
  await reader.send(greeting);
  const clientFlags = get32(await reader.take(4), 0);
  if ((clientFlags & ~(HANDSHAKE_FLAG.fixedNewstyle | HANDSHAKE_FLAG.noZeroes)) !== 0) {
    throw violation('unknown handshake flags', 'client', `0x${clientFlags.toString(16)}`);
  }
  const state: Haggling = { structured: false, contexts: [], contextsOf: undefined };
  const server = new OptionServer(transport, reader, offer, state, clientFlags);
  for (let count = 0; count < MAX_OPTIONS; count++) {
    const header = decodeOption(await reader.take(OPTION_BYTES));
    if (header === undefined) throw violation('wrong magic of an option', 'client');
    const result = await server.option(header.option, header.length);
    if (result !== 'next') return result;
  }
  throw violation('too many options', 'client', `${MAX_OPTIONS}`);
}

type Result = NbdAgreement | undefined | 'next';
type OptionHandler = (data: Uint8Array) => Promise<Result>;

class OptionServer {
  readonly #transport: NbdTransport;
  readonly #reader: HandshakeReader;
  readonly #offer: () => NbdOffer;
  readonly #state: Haggling;
  readonly #clientFlags: number;
  #option = 0;

  readonly #handlers: Readonly<Record<number, OptionHandler>> = {
    [OPTION.exportName]: (data) => this.#exportName(data),
    [OPTION.abort]: () => this.#abort(),
    [OPTION.list]: (data) => this.#list(data),
    [OPTION.startTls]: (data) => this.#startTls(data),
    [OPTION.info]: (data) => this.#info(data, false),
    [OPTION.go]: (data) => this.#info(data, true),
    [OPTION.structuredReply]: (data) => this.#structuredReply(data),
    [OPTION.listMetaContext]: (data) => this.#metaContext(data, true),
    [OPTION.setMetaContext]: (data) => this.#metaContext(data, false),
  };

  constructor(
    transport: NbdTransport,
    reader: HandshakeReader,
    offer: () => NbdOffer,
    state: Haggling,
    clientFlags: number,
  ) {
    this.#transport = transport;
    this.#reader = reader;
    this.#offer = offer;
    this.#state = state;
    this.#clientFlags = clientFlags;
  }

  async option(option: number, length: number): Promise<Result> {
    this.#option = option;
    if (length > MAX_PAYLOAD_BYTES) throw violation('option is too long', 'client', `${length} bytes`);
    const handler = this.#handlers[option];
    const tooLong = length > MAX_OPTION_BYTES;
    if (tooLong || handler === undefined) await this.#reader.skip(length);
    const data = tooLong || handler === undefined ? NOTHING : await this.#reader.take(length);
    const { tls, shuttingDown } = this.#offer();
    const plain = tls === 'required' && !this.#transport.secure;
    if (plain && option !== OPTION.startTls && option !== OPTION.abort) {
      // This option has no place for an error.
      if (option === OPTION.exportName) throw violation('export asked for without TLS', 'client');
      return this.#fail(OPTION_REPLY.tlsRequired, 'TLS comes first');
    }
    if (tooLong) {
      if (option === OPTION.exportName) throw violation('export name is too long', 'client');
      return this.#fail(OPTION_REPLY.tooBig, 'option is too long');
    }
    if (shuttingDown && option !== OPTION.abort) {
      if (option === OPTION.exportName) return undefined;
      return this.#fail(OPTION_REPLY.shutdown, 'server is shutting down');
    }
    return handler === undefined ? this.#fail(OPTION_REPLY.unsupported) : handler(data);
  }

  async #reply(type: number, data?: Uint8Array): Promise<'next'> {
    await this.#reader.send(encodeOptionReply(this.#option, type, data));
    return 'next';
  }

  #fail(type: number, message = ''): Promise<'next'> {
    return this.#reply(type, new TextEncoder().encode(message));
  }

  /** An empty name is the export without a name, or else the first. */
  #find(name: string): NbdExport | undefined {
    const { exports } = this.#offer();
    return exports.get(name) ?? (name === '' ? exports.values().next().value : undefined);
  }

  #agreementOn(entry: NbdExport): NbdAgreement {
    const { structured, contexts, contextsOf: of } = this.#state;
    return { entry, structured, contexts: of === entry ? contexts : [] };
  }

  async #exportName(data: Uint8Array): Promise<Result> {
    const name = decodeString(data);
    const entry = name === undefined ? undefined : this.#find(name);
    if (entry === undefined) throw violation('unknown export asked for', 'client', name ?? 'no text');
    const short = (this.#clientFlags & HANDSHAKE_FLAG.noZeroes) !== 0;
    const bytes = new Uint8Array(short ? 10 : 10 + EXPORT_PADDING_BYTES);
    put64(bytes, 0, entry.node.size);
    put16(bytes, 8, exportFlags(entry, this.#state.structured));
    await this.#reader.send(bytes);
    return this.#agreementOn(entry);
  }

  async #abort(): Promise<undefined> {
    await this.#reply(OPTION_REPLY.ack);
    return undefined;
  }

  async #list(data: Uint8Array): Promise<'next'> {
    if (data.length > 0) return this.#fail(OPTION_REPLY.invalid, 'this option has no data');
    const { exports, listable } = this.#offer();
    if (!listable) return this.#fail(OPTION_REPLY.policy, 'exports are not listed');
    for (const { name, description } of exports.values()) {
      await this.#reply(OPTION_REPLY.server, encodeServer(name, description));
    }
    return this.#reply(OPTION_REPLY.ack);
  }

  async #startTls(data: Uint8Array): Promise<'next'> {
    if (data.length > 0) return this.#fail(OPTION_REPLY.invalid, 'this option has no data');
    if (this.#transport.secure) return this.#fail(OPTION_REPLY.invalid, 'TLS is there already');
    if (this.#offer().tls === 'off' || this.#transport.startTls === undefined) {
      return this.#fail(OPTION_REPLY.policy, 'TLS is not configured');
    }
    // Whatever came in clear after the option could pretend to have come under TLS.
    if (this.#reader.waitingBytes > 0) throw violation('data before TLS', 'client');
    await this.#reply(OPTION_REPLY.ack);
    this.#state.structured = false;
    this.#state.contexts = [];
    this.#state.contextsOf = undefined;
    await this.#transport.startTls();
    if (this.#reader.waitingBytes > 0) throw violation('data before TLS', 'client');
    return 'next';
  }

  async #info(data: Uint8Array, go: boolean): Promise<Result> {
    const request = decodeGo(data);
    if (request === undefined) return this.#fail(OPTION_REPLY.invalid, 'lengths do not fit');
    const entry = this.#find(request.name);
    if (entry === undefined) return this.#fail(OPTION_REPLY.unknown, 'no such export');
    const wants = new Set(request.requests);
    if (wants.has(INFO.name)) await this.#reply(OPTION_REPLY.info, encodeTextInfo(INFO.name, entry.name));
    if (wants.has(INFO.description) && entry.description !== undefined) {
      await this.#reply(OPTION_REPLY.info, encodeTextInfo(INFO.description, entry.description));
    }
    const { minimum, preferred, maximum } = blockSizesOf(entry);
    // A client that doesn't ask may not honour it: what it sends is checked anyway.
    await this.#reply(OPTION_REPLY.info, encodeBlockSizeInfo(minimum, preferred, maximum));
    const flags = exportFlags(entry, this.#state.structured);
    await this.#reply(OPTION_REPLY.info, encodeExportInfo(entry.node.size, flags));
    await this.#reply(OPTION_REPLY.ack);
    return go ? this.#agreementOn(entry) : 'next';
  }

  async #structuredReply(data: Uint8Array): Promise<'next'> {
    if (data.length > 0) return this.#fail(OPTION_REPLY.invalid, 'this option has no data');
    this.#state.structured = true;
    return this.#reply(OPTION_REPLY.ack);
  }

  async #metaContext(data: Uint8Array, list: boolean): Promise<'next'> {
    if (!list) {
      this.#state.contexts = [];
      this.#state.contextsOf = undefined;
    }
    if (!this.#state.structured) return this.#fail(OPTION_REPLY.invalid, 'structured replies come first');
    const request = decodeMetaContextRequest(data);
    if (request === undefined) return this.#fail(OPTION_REPLY.invalid, 'lengths do not fit');
    const entry = this.#find(request.name);
    if (entry === undefined) return this.#fail(OPTION_REPLY.unknown, 'no such export');
    const known = contextsOf(entry);
    const names = new Set<string>();
    if (list && request.queries.length === 0) for (const name of known.keys()) names.add(name);
    for (const query of request.queries) {
      for (const name of matchContexts(known.keys(), query, list)) names.add(name);
    }
    if (!list && names.size > MAX_CONTEXTS) return this.#fail(OPTION_REPLY.tooBig, 'too many contexts');
    const chosen = [...names].map((name, index) => ({
      id: list ? 0 : index + 1,
      name,
      of: known.get(name)!,
    }));
    for (const { id, name } of chosen) {
      await this.#reply(OPTION_REPLY.metaContext, encodeMetaContext(id, name));
    }
    if (!list) {
      this.#state.contexts = chosen;
      this.#state.contextsOf = entry;
    }
    return this.#reply(OPTION_REPLY.ack);
  }
}
