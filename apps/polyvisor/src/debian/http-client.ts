import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PolyvisorError } from '@polyvisor/contracts';

const REDIRECT_LIMIT = 5;
const ATTEMPTS = 3;
/** No byte for so long means a dead connection. */
const IDLE_TIMEOUT_MS = 30_000;

/** Called with bytes so far and in all (0 while unknown). */
export type ReportProgress = (done: number, total: number) => void;

export interface HttpClient {
  /** A small file in memory. Errors: `not-found`, `unavailable`, `limit`. */
  get(url: string, limit: number): Promise<Uint8Array>;
  /**
   * Brings a file with a known SHA-256 to `path`, going on where an earlier attempt stopped.
   * Errors: `not-found`, `unavailable` (the partial file stays for next time), `corrupt` (it is deleted).
   */
  download(
    url: string,
    path: string,
    expected: { readonly sha256: string; readonly size: number },
    report?: ReportProgress,
  ): Promise<void>;
  close(): void;
}

/**
 * An HTTP(S) client with redirects, retries and proxies: those of the environment (`http_proxy`, `https_proxy`,
 * `no_proxy`), else those that apt is configured with.
 */
export function createHttpClient(
  environment: NodeJS.ProcessEnv = process.env,
  retryDelayMs = 500,
): HttpClient {
  const proxyEnv = { ...aptProxies(environment), ...environment };
  const agents = {
    http: new http.Agent({ keepAlive: true, proxyEnv }),
    https: new https.Agent({ keepAlive: true, proxyEnv }),
  };

  function request(
    url: string,
    headers: Record<string, string>,
    redirects = 0,
  ): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const secure = url.startsWith('https:');
      const agent = secure ? agents.https : agents.http;
      const sent = (secure ? https : http).get(
        url,
        { agent, headers: { 'user-agent': 'polyvisor', ...headers }, timeout: IDLE_TIMEOUT_MS },
        (response) => {
          const status = response.statusCode ?? 0;
          const location = response.headers.location;
          if (status >= 300 && status < 400 && location !== undefined) {
            response.resume();
            if (redirects === REDIRECT_LIMIT)
              reject(unavailable(url, `more than ${REDIRECT_LIMIT} redirects`));
            else resolve(request(new URL(location, url).href, headers, redirects + 1));
            return;
          }
          resolve(response);
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`no answer for ${IDLE_TIMEOUT_MS / 1000} s`)));
      sent.on('error', (error) =>
        reject(
          unavailable(
            url,
            error.message || (error as NodeJS.ErrnoException).code || 'connection failed',
            error,
          ),
        ),
      );
    });
  }

  async function get(url: string, limit: number): Promise<Uint8Array> {
    const response = await request(url, {});
    requireStatus(url, response, [200]);
    const pieces: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const piece of response) {
        size += (piece as Uint8Array).length;
        if (size > limit)
          throw new PolyvisorError('limit', {
            what: 'the file is too big',
            which: url,
            limit: `at most ${limit} bytes`,
          });
        pieces.push(piece as Uint8Array);
      }
    } catch (error) {
      throw error instanceof PolyvisorError ? error : unavailable(url, (error as Error).message, error);
    }
    return Buffer.concat(pieces);
  }

  async function downloadOnce(
    url: string,
    path: string,
    size: number,
    report: ReportProgress | undefined,
  ): Promise<void> {
    let have = existsSync(path) ? statSync(path).size : 0;
    if (have > size) have = 0;
    if (have === size && size > 0) return;
    const response = await request(url, have > 0 ? { range: `bytes=${have}-` } : {});
    requireStatus(url, response, [200, 206]);
    // A server without ranges answers 200 and begins again.
    if (response.statusCode === 200) have = 0;
    const out = createWriteStream(path, have > 0 ? { flags: 'a' } : { flags: 'w' });
    let done = have;
    report?.(done, size);
    response.on('data', (piece: Uint8Array) => {
      done += piece.length;
      report?.(done, size);
      if (done > size) response.destroy(new Error(`more than the expected ${size} bytes`));
    });
    try {
      await pipeline(response, out);
    } catch (error) {
      throw unavailable(url, (error as Error).message, error);
    }
    if (done < size) throw unavailable(url, `ended after ${done} of ${size} bytes`);
  }

  async function download(
    url: string,
    path: string,
    expected: { readonly sha256: string; readonly size: number },
    report?: ReportProgress,
  ): Promise<void> {
    mkdirSync(dirname(path), { recursive: true });
    const resumed = existsSync(path);
    for (let attempt = 1; ; attempt++) {
      try {
        await downloadOnce(url, path, expected.size, report);
        break;
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof PolyvisorError) || error.code !== 'unavailable')
          throw error;
        await new Promise((resolve) => setTimeout(resolve, retryDelayMs * attempt));
      }
    }
    if ((await hashFile(path)) === expected.sha256) return;
    rmSync(path, { force: true });
    // What an earlier attempt left may have been the culprit: once more from the start.
    if (resumed) return download(url, path, expected, report);
    throw new PolyvisorError('corrupt', {
      what: 'downloaded file has a wrong checksum',
      which: url,
      limit: `SHA-256 ${expected.sha256} expected`,
      hint: 'the mirror or a proxy may be broken; try again or another --mirror',
    });
  }

  return {
    get,
    download,
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

/** SHA-256 of a file, in hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

function requireStatus(url: string, response: http.IncomingMessage, accepted: readonly number[]): void {
  const status = response.statusCode ?? 0;
  if (accepted.includes(status)) return;
  response.resume();
  if (status === 404)
    throw new PolyvisorError('not-found', {
      what: 'not on the mirror',
      which: url,
      hint: 'choose another with --mirror',
    });
  throw unavailable(url, `HTTP status ${status}`);
}

function unavailable(url: string, detail: string, cause?: unknown): PolyvisorError {
  return new PolyvisorError('unavailable', {
    what: "can't download",
    which: url,
    limit: detail,
    hint: 'check the network, a proxy, or choose another --mirror',
    cause,
  });
}

function aptProxies(environment: NodeJS.ProcessEnv): Record<string, string> {
  if (
    environment['http_proxy'] ??
    environment['HTTP_PROXY'] ??
    environment['https_proxy'] ??
    environment['HTTPS_PROXY']
  )
    return {};
  const proxies: Record<string, string> = {};
  try {
    const dump = execFileSync('apt-config', ['dump'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for (const [, scheme, proxy] of dump.matchAll(/^Acquire::(https?)::proxy "(https?:[^"]+)";$/gim)) {
      proxies[`${scheme!.toLowerCase()}_proxy`] = proxy!;
    }
  } catch {
    // No apt on this host: no proxies of its.
  }
  return proxies;
}
