import type { ReplyBody, RequestBody } from '../src/codec/message-codec.ts';
import { decodeReply, encodeRequest } from '../src/codec/message-codec.ts';
import type { ReplyName, RequestName } from '../src/codec/messages.ts';
import { MSIZE_MAX, NOFID, VERSION } from '../src/protocol.ts';
import type { NinePServer } from '../src/server.ts';
import type { ReplyOf } from '../src/session/handlers.ts';

/** An Rlerror that the client got. */
export class ClientError extends Error {
  readonly errno: number;

  constructor(name: string, errno: number) {
    super(`${name}: errno ${errno}`);
    this.errno = errno;
  }
}

export interface DirectoryRecord {
  readonly name: string;
  readonly type: number;
  readonly offset: bigint;
  readonly path: bigint;
}

/** A client for tests: sends single messages and checks that what comes back fits. */
export class NinePClient {
  readonly #server: NinePServer;
  #tags = 0;
  #fids = 100;

  readonly #room: number;

  /** `room`: bytes of each buffer. */
  constructor(server: NinePServer, room = MSIZE_MAX) {
    this.#server = server;
    this.#room = room;
  }

  /** Sends bytes as they are. @returns the reply's bytes. */
  raw(message: Uint8Array, room = this.#room): Promise<Uint8Array> {
    const reply = new Uint8Array(room);
    return new Promise((resolve) =>
      this.#server.handle(message, reply, (length) => resolve(reply.subarray(0, length))),
    );
  }

  /** @throws ClientError for an Rlerror. */
  async call<Name extends RequestName>(
    name: Name,
    body: RequestBody<Name>,
    tag = this.#tags++ & 0x7fff,
  ): Promise<ReplyBody<ReplyOf<Name>>> {
    const room = new Uint8Array(this.#room);
    const message = room.subarray(0, encodeRequest(name, tag, body, room));
    const reply = decodeReply(await this.raw(message));
    if (reply?.tag !== tag) throw new Error(`${name}: the reply isn't one`);
    if (reply.name === 'Rlerror') throw new ClientError(name, reply.body.errno);
    if (reply.name !== (name.replace('T', 'R') as ReplyName)) throw new Error(`${name} got ${reply.name}`);
    return reply.body as ReplyBody<ReplyOf<Name>>;
  }

  /** The error number of a call that must fail. */
  async failure<Name extends RequestName>(name: Name, body: RequestBody<Name>): Promise<number> {
    try {
      await this.call(name, body);
    } catch (error) {
      if (error instanceof ClientError) return error.errno;
      throw error;
    }
    throw new Error(`${name} did not fail`);
  }

  /** Agrees on a version and attaches fid 0. */
  async start(msize = MSIZE_MAX): Promise<void> {
    await this.call('Tversion', { msize, version: VERSION }, 0xffff);
    await this.call('Tattach', { fid: 0, afid: NOFID, user: 'root', tree: '', userId: 0 });
  }

  /** A new fid for the path, from fid 0 on. */
  async walk(path: string): Promise<number> {
    const newfid = this.#fids++;
    const names = path === '' ? [] : path.split('/');
    const { qids } = await this.call('Twalk', { fid: 0, newfid, names });
    if (qids.length !== names.length) throw new ClientError('Twalk', 2);
    return newfid;
  }

  async open(path: string, flags = 0): Promise<number> {
    const fid = await this.walk(path);
    await this.call('Tlopen', { fid, flags });
    return fid;
  }

  async create(folder: string, name: string, flags = 2, mode = 0o644): Promise<number> {
    const fid = await this.walk(folder);
    await this.call('Tlcreate', { fid, name, flags, mode, gid: 0 });
    return fid;
  }

  async read(fid: number, offset = 0n, count = 1 << 16): Promise<string> {
    const { data } = await this.call('Tread', { fid, offset, count });
    return new TextDecoder().decode(data);
  }

  async write(fid: number, text: string, offset = 0n): Promise<number> {
    return (await this.call('Twrite', { fid, offset, data: new TextEncoder().encode(text) })).count;
  }

  /** One Treaddir. */
  async readdir(fid: number, offset = 0n, count = 1 << 16): Promise<DirectoryRecord[]> {
    const { data } = await this.call('Treaddir', { fid, offset, count });
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const records: DirectoryRecord[] = [];
    for (let at = 0; at < data.length;) {
      const length = view.getUint16(at + 22, true);
      records.push({
        path: view.getBigUint64(at + 5, true),
        offset: view.getBigUint64(at + 13, true),
        type: view.getUint8(at + 21),
        name: String.fromCharCode(...data.subarray(at + 24, at + 24 + length)),
      });
      at += 24 + length;
    }
    return records;
  }
}
