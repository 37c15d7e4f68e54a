import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockLimits, BlockNode, Extent, IoOptions } from '../graph/block-node.ts';
import { checkCancelled, checkRange } from '../graph/check-range.ts';
import { forEachParallel, piecesOf } from '../graph/parallel.ts';
import type { HttpOptions } from './http-fetch.ts';
import { readBody, request, withoutSecrets } from './http-fetch.ts';

const MAX_TRANSFER_BYTES = 2 ** 30;
const PIECE_BYTES = 2 * 1024 * 1024;
const PARALLEL = 6;

/** Where an {@link HttpNode} reads. */
export interface HttpNodeOptions extends HttpOptions {
  readonly url: string;
  /** Sent with every request: `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Facts {
  readonly url: string;
  readonly size: number;
  /** What tells one version of the file from another. */
  readonly tag: string | undefined;
}

/**
 * A file on a web server, read by ranges. The server must know ranges; the file must stay as it was when it was
 * opened: a change of its tag or size is an error, since old and new bytes would mix. Nothing is kept: put a cache
 * in front.
 * @throws PolyvisorError `not-found`, `permission`, `unsupported` (no ranges), `unavailable`, `corrupt`.
 */
export async function openHttpNode(options: HttpNodeOptions, signal?: AbortSignal): Promise<HttpNode> {
  const { url, headers } = readUrl(options);
  const response = await request(
    url,
    () => ({ headers: { ...headers, range: 'bytes=0-0' } }),
    options,
    signal,
  );
  await response.body?.cancel();
  // An empty file has no first byte.
  const empty = response.status === 416 && response.headers.get('content-range') === 'bytes */0';
  if (response.status === 200) {
    throw new PolyvisorError('unsupported', {
      what: "server can't send parts of a file",
      which: withoutSecrets(url),
    });
  }
  if (response.status !== 206 && !empty) throw statusError(response.status, url);
  const size = empty ? 0 : parseContentRange(response, url).total;
  return new HttpNode({ url, size, tag: tagOf(response) }, { ...options, headers });
}

/** A password in the URL becomes a header: `fetch` refuses it. */
function readUrl({ url: text, headers = {} }: HttpNodeOptions): {
  url: string;
  headers: Record<string, string>;
} {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new PolyvisorError('invalid-argument', { what: 'not a URL', which: text, cause });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new PolyvisorError('invalid-argument', { what: 'not a web address', which: text });
  }
  const { username, password } = url;
  if (username === '' && password === '') return { url: text, headers: { ...headers } };
  url.username = '';
  url.password = '';
  const bytes = new TextEncoder().encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return {
    url: url.href,
    headers: { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}`, ...headers },
  };
}

/** See {@link openHttpNode}. */
export class HttpNode implements BlockNode {
  readonly driver = 'http';
  readonly name: string;
  readonly size: number;
  readonly readOnly = true;
  readonly limits: BlockLimits = {
    alignment: 1,
    preferred: 65536,
    discardGranule: 65536,
    maxTransfer: MAX_TRANSFER_BYTES,
  };
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  readonly #facts: Facts;
  readonly #options: HttpNodeOptions;

  constructor(facts: Facts, options: HttpNodeOptions) {
    this.#facts = facts;
    this.#options = options;
    this.size = facts.size;
    this.name = withoutSecrets(facts.url);
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    checkRange(this, offset, target.length);
    checkCancelled(options?.signal);
    await forEachParallel(
      piecesOf(offset, target.length, PIECE_BYTES),
      PARALLEL,
      (piece) =>
        this.#readPiece(
          piece.offset,
          target.subarray(piece.offset - offset, piece.offset - offset + piece.length),
          options?.signal,
        ),
      options?.signal,
    );
  }

  async #readPiece(offset: number, target: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const { url, size, tag } = this.#facts;
    const last = offset + target.length - 1;
    const headers = {
      ...this.#options.headers,
      range: `bytes=${offset}-${last}`,
      // What is sent packed would have other offsets.
      'accept-encoding': 'identity',
    };
    const response = await request(url, () => ({ headers }), this.#options, signal);
    try {
      if (response.status === 200 || response.status === 416) throw this.#changed('its size');
      if (response.status !== 206) throw statusError(response.status, url);
      const range = parseContentRange(response, url);
      if (range.total !== size) throw this.#changed('its size');
      if (tagOf(response) !== tag) throw this.#changed('its tag');
      if (range.first !== offset || range.last !== last) {
        throw new PolyvisorError('corrupt', { what: 'server sent another range', which: this.name });
      }
    } catch (error) {
      await response.body?.cancel();
      throw error;
    }
    await readBody(response, target, url);
  }

  #changed(what: string): PolyvisorError {
    return new PolyvisorError('corrupt', {
      what: 'file on the server has changed since it was opened',
      which: this.name,
      limit: what,
      hint: 'open it again',
    });
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkRange(this, offset, length);
    checkCancelled(options?.signal);
    return { length, allocated: true, zero: false, data: true, depth: 0, offset, file: this };
  }

  write(): Promise<void> {
    return this.#refuse();
  }

  writeZeroes(): Promise<void> {
    return this.#refuse();
  }

  discard(): Promise<void> {
    return this.#refuse();
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  #refuse(): Promise<void> {
    return Promise.reject(new PolyvisorError('permission', { what: 'disk is read-only', which: this.name }));
  }
}

function tagOf(response: Response): string | undefined {
  return response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
}

/** `bytes 0-99/1000` (RFC 9110, 14.4). */
function parseContentRange(response: Response, url: string): { first: number; last: number; total: number } {
  const text = response.headers.get('content-range') ?? '';
  const found = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(text);
  const [first, last, total] = (found?.slice(1) ?? []).map(Number) as [number, number, number];
  if (found !== null && Number.isSafeInteger(total) && first <= last && last < total)
    return { first, last, total };
  throw new PolyvisorError('corrupt', {
    what: 'server sent no usable Content-Range',
    which: withoutSecrets(url),
    limit: text === '' ? 'none' : text,
  });
}

function statusError(status: number, url: string): PolyvisorError {
  const which = withoutSecrets(url);
  const limit = `HTTP status ${status}`;
  if (status === 404 || status === 410)
    return new PolyvisorError('not-found', { what: 'no such file on the server', which, limit });
  if (status === 401 || status === 403)
    return new PolyvisorError('permission', { what: 'server refuses the file', which, limit });
  return new PolyvisorError('io', { what: "can't read from server", which, limit });
}
