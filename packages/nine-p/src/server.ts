import type { Logger } from '@polyvisor/contracts';
import { silentLogger } from '@polyvisor/contracts';
import type { RequestBody } from './codec/message-codec.ts';
import { decodeRequest, encodeReply, tagOf } from './codec/message-codec.ts';
import type { RequestName } from './codec/messages.ts';
import { requests } from './codec/messages.ts';
import { EINVAL, EIO, EMSGSIZE, EOPNOTSUPP, EROFS, errnoOf, FileError } from './errno.ts';
import type { FileTree } from './file-tree.ts';
import * as p from './protocol.ts';
import { attributeHandlers } from './session/attributes.ts';
import { contentHandlers } from './session/contents.ts';
import type { FileRequest, Handlers, ReplyOf } from './session/handlers.ts';
import { nameHandlers } from './session/names.ts';
import { restoreSession, saveSession } from './session/saved-session.ts';
import { Operation, Session } from './session/session.ts';

const handlers: Handlers = { ...nameHandlers, ...contentHandlers, ...attributeHandlers };
const knownTypes = new Set<number>(Object.values(requests).map(({ type }) => type));

export interface NinePServerOptions {
  /** Greatest message, 4096 to 524288 bytes. Default 524288. */
  readonly maxMessageBytes?: number;
  /** Files and directories that a client may name at once. Default 16384. */
  readonly maxFids?: number;
  /** Of those, open. Default 4096. */
  readonly maxOpenFiles?: number;
}

export interface NinePServerDependencies {
  readonly tree: FileTree;
  readonly logger?: Logger;
}

/**
 * Serves one client's 9P2000.L messages. Requests run together and end in any order; a Tflush is answered after
 * the request it names.
 */
export interface NinePServer {
  readonly maxMessageBytes: number;
  /**
   * Serves one message, of whatever contents. Both buffers are the server's until it calls `done`, once, with the
   * length of the reply at the start of `reply`; 0 when not even an error fits there. Never throws.
   * `again`: a server that is gone, whose session was loaded here, may have done it already, in part or whole; it
   * succeeds if it did then.
   */
  handle(request: Uint8Array, reply: Uint8Array, done: (length: number) => void, again?: boolean): void;
  /** Grows whenever what {@link save} gives has changed. */
  readonly revision: number;
  /** The client is gone: ends its session. Requests under way still end. */
  reset(): void;
  /** The session as of the requests that have ended; at any time. */
  save(): Uint8Array;
  /**
   * Takes over a saved session. Objects are looked up again before the next request is served; the client gets
   * ESTALE for what isn't there any more or is another one.
   * @throws PolyvisorError `corrupt`; the server is then as after {@link reset}.
   */
  load(saved: Uint8Array): void;
  /** Ends the session and closes the tree, once requests under way have ended. */
  close(): Promise<void>;
}

/** Requests by which names stand for other objects, or none. */
const renaming: ReadonlySet<RequestName> = new Set(['Trename', 'Trenameat', 'Tunlinkat', 'Tremove']);
/** How long after a load requests wait for renames that are to be done again, if something was not found. */
const RENAMES_MS = 50;

interface RenamesAgain {
  underWay: number;
  /** No more of them will come. */
  over: boolean;
  readonly done: PromiseWithResolvers<void>;
}

/** A server of one tree for one client. */
export function createNinePServer(
  options: NinePServerOptions,
  dependencies: NinePServerDependencies,
): NinePServer {
  return new Server(options, dependencies);
}

class Server implements NinePServer {
  readonly maxMessageBytes: number;
  readonly #tree: FileTree;
  readonly #logger: Logger;
  readonly #limits: { readonly fids: number; readonly openFiles: number };
  /** Undefined until the client has agreed on a version. */
  #session: Session | undefined;
  /** Requests under way by tag, with what to do at their end. */
  readonly #underWay = new Map<number, (() => void)[]>();
  /** Requests under way whose tag another one had already. */
  #unnamed = 0;
  #idle: (() => void)[] = [];
  #changes = 0;
  /** Present after a load that didn't find everything, until renames that were under way are done again. */
  #renames: RenamesAgain | undefined;
  /** While a loaded session's objects are being looked up: the state it came from. */
  #loading: { readonly saved: Uint8Array; readonly found: Promise<void> } | undefined;

  constructor(options: NinePServerOptions, { tree, logger }: NinePServerDependencies) {
    this.maxMessageBytes = Math.min(
      Math.max(options.maxMessageBytes ?? p.MSIZE_MAX, p.MSIZE_MIN),
      p.MSIZE_MAX,
    );
    this.#limits = { fids: options.maxFids ?? 16384, openFiles: options.maxOpenFiles ?? 4096 };
    this.#tree = tree;
    this.#logger = logger ?? silentLogger;
  }

  get revision(): number {
    return this.#changes + revisionOf(this.#session);
  }

  handle(request: Uint8Array, reply: Uint8Array, done: (length: number) => void, again = false): void {
    const tag = request.length < p.HEADER_BYTES ? p.NOTAG : tagOf(request);
    const twice = this.#underWay.has(tag);
    if (twice) this.#unnamed++;
    else this.#underWay.set(tag, []);
    this.#serve(tag, request, reply, again)
      .catch((error: unknown) => this.#refuse(tag, errnoOf(error), reply))
      .then((length) => {
        done(length);
        this.#ended(tag, twice);
      })
      .catch((error: unknown) => this.#logger.error({ error }, '9p: a reply failed'));
  }

  #ended(tag: number, twice: boolean): void {
    if (twice) this.#unnamed--;
    else {
      const waiting = this.#underWay.get(tag);
      this.#underWay.delete(tag);
      for (const go of waiting ?? []) go();
    }
    if (this.#underWay.size + this.#unnamed === 0) for (const go of this.#idle.splice(0)) go();
  }

  #refuse(tag: number, errno: number, reply: Uint8Array): number {
    if (errno === EIO) this.#logger.warn({ tag }, '9p: a file operation failed with EIO');
    return encodeReply('Rlerror', tag, { errno }, reply);
  }

  async #serve(tag: number, message: Uint8Array, reply: Uint8Array, again: boolean): Promise<number> {
    if (this.#loading !== undefined) await this.#loading.found;
    const request = decodeRequest(message);
    const renames = this.#renames;
    if (renames === undefined) return this.#answer(tag, message, request, reply, again);
    if (!again || request === undefined || !renaming.has(request.name)) {
      await renames.done.promise;
      return this.#answer(tag, message, request, reply, again);
    }
    renames.underWay++;
    try {
      return await this.#answer(tag, message, request, reply, again);
    } finally {
      renames.underWay--;
      this.#settle(renames);
    }
  }

  #settle(renames: RenamesAgain): void {
    if (!renames.over || renames.underWay > 0) return;
    if (this.#renames === renames) this.#renames = undefined;
    renames.done.resolve();
  }

  async #answer(
    tag: number,
    message: Uint8Array,
    request: ReturnType<typeof decodeRequest>,
    reply: Uint8Array,
    again: boolean,
  ): Promise<number> {
    if (request === undefined) {
      const known = message.length < p.HEADER_BYTES || knownTypes.has(message[4]!);
      throw new FileError(known ? EINVAL : EOPNOTSUPP);
    }
    if (request.name === 'Tversion') return this.#version(tag, request.body, reply);
    if (request.name === 'Tflush') return this.#flush(tag, request.body.oldTag, reply);
    const session = this.#session;
    if (session === undefined) throw new FileError(EINVAL);
    if (message.length > session.msize && sizeOf(message) > session.msize) throw new FileError(EMSGSIZE);
    if (this.#tree.readOnly && 'changes' in requests[request.name]) throw new FileError(EROFS);
    if (renaming.has(request.name)) session.names++;
    return this.#file(session, request.name, tag, request.body, reply, again);
  }

  async #file<Name extends FileRequest>(
    session: Session,
    name: Name,
    tag: number,
    body: RequestBody<RequestName>,
    reply: Uint8Array,
    again: boolean,
  ): Promise<number> {
    const operation = new Operation(session, reply, again);
    try {
      const answer = await handlers[name](operation, body as RequestBody<Name>);
      const length = encodeReply(name.replace('T', 'R') as ReplyOf<Name>, tag, answer, reply);
      if (length === 0) throw new FileError(EMSGSIZE);
      return length;
    } finally {
      if (renaming.has(name)) session.names++;
      await operation.end();
    }
  }

  #version(tag: number, { msize, version }: RequestBody<'Tversion'>, reply: Uint8Array): number {
    this.reset();
    const agreed = Math.min(msize, this.maxMessageBytes);
    if (agreed < p.MSIZE_MIN) throw new FileError(EMSGSIZE);
    const spoken = version === p.VERSION;
    if (spoken) this.#session = new Session(this.#tree, agreed, this.#limits);
    this.#changes++;
    return encodeReply(
      'Rversion',
      tag,
      { msize: agreed, version: spoken ? p.VERSION : p.VERSION_UNKNOWN },
      reply,
    );
  }

  /** Nothing is cut short: what a request has changed already, its answer must tell (Plan 9 manual, flush(5)). */
  async #flush(tag: number, oldTag: number, reply: Uint8Array): Promise<number> {
    const waiting = oldTag === tag ? undefined : this.#underWay.get(oldTag);
    if (waiting !== undefined) await new Promise<void>((resolve) => waiting.push(resolve));
    return encodeReply('Rflush', tag, {}, reply);
  }

  reset(): void {
    const session = this.#session;
    this.#changes += 1 + revisionOf(session);
    this.#session = undefined;
    this.#loading = undefined;
    if (this.#renames !== undefined) this.#renames.over = true;
    if (this.#renames !== undefined) this.#settle(this.#renames);
    if (session !== undefined) void session.fids.close();
  }

  save(): Uint8Array {
    return this.#loading?.saved ?? saveSession(this.#session);
  }

  load(saved: Uint8Array): void {
    this.reset();
    const restored = restoreSession(saved, this.#tree, this.maxMessageBytes, this.#limits);
    if (restored === undefined) return;
    const { session } = restored;
    this.#session = session;
    const loading = {
      saved,
      found: restored.found.then((lost) => {
        if (this.#loading !== loading) return;
        this.#loading = undefined;
        if (lost > 0) this.#awaitRenames(session, lost);
      }),
    };
    this.#loading = loading;
  }

  /** What wasn't found may have been renamed by a request that is given again. */
  #awaitRenames(session: Session, lost: number): void {
    const renames: RenamesAgain = { underWay: 0, over: false, done: Promise.withResolvers<void>() };
    this.#renames = renames;
    setTimeout(() => {
      renames.over = true;
      this.#settle(renames);
    }, RENAMES_MS);
    void renames.done.promise.then(() => {
      const left = [...session.fids.entries()].filter(([, { node }]) => node === undefined).length;
      if (left > 0) this.#logger.warn({ lost, left }, '9p: files of a saved session are not there any more');
    });
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await this.#loading?.found;
    if (this.#underWay.size + this.#unnamed > 0)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    await session?.fids.close();
    await this.#tree.close();
  }
}

function revisionOf(session: Session | undefined): number {
  return session === undefined ? 0 : session.names + session.fids.revision;
}

function sizeOf(message: Uint8Array): number {
  return message[0]! + message[1]! * 0x100 + message[2]! * 0x1_0000 + message[3]! * 0x100_0000;
}
