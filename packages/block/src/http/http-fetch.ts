import { PolyvisorError } from '@polyvisor/contracts';
import { checkCancelled } from '../graph/check-range.ts';

/** The part of `fetch` that is used: a test's may stand in. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** How requests are made. */
export interface HttpOptions {
  readonly fetch?: Fetch;
  /** For one attempt. Default 30 s. */
  readonly timeoutMs?: number;
  /** After a failure that may pass (network, 429, 5xx). Default 3. */
  readonly retries?: number;
}

const TIMEOUT_MS = 30_000;
const RETRIES = 3;
const FIRST_WAIT_MS = 100;

/**
 * Makes a request; repeats it when it failed in a way that may pass, waiting longer each time.
 * @throws PolyvisorError `unavailable`, `cancelled`
 */
export async function request(
  url: string,
  init: () => RequestInit | Promise<RequestInit>,
  { fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS, retries = RETRIES }: HttpOptions,
  signal: AbortSignal | undefined,
): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    checkCancelled(signal);
    const timeout = AbortSignal.timeout(timeoutMs);
    let cause: unknown;
    try {
      const response = await fetch(url, {
        ...(await init()),
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      if (response.status < 500 && response.status !== 429) return response;
      cause = `HTTP status ${response.status}`;
      await response.body?.cancel();
    } catch (error) {
      checkCancelled(signal);
      cause = error;
    }
    if (attempt >= retries) {
      throw new PolyvisorError('unavailable', {
        what: "server doesn't answer",
        which: withoutSecrets(url),
        limit: typeof cause === 'string' ? cause : reasonOf(cause),
        cause,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, FIRST_WAIT_MS * 2 ** attempt));
  }
}

/**
 * Reads exactly `target.length` bytes of a response.
 * @throws PolyvisorError `corrupt`: there are more or fewer.
 */
export async function readBody(response: Response, target: Uint8Array, url: string): Promise<void> {
  let done = 0;
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const part = await reader?.read();
      if (part === undefined || part.done) break;
      if (done + part.value.length > target.length) throw wrongLength(url, target.length, 'more');
      target.set(part.value, done);
      done += part.value.length;
    }
  } catch (error) {
    await reader?.cancel().catch(() => {});
    throw error;
  }
  if (done < target.length) throw wrongLength(url, target.length, String(done));
}

function wrongLength(url: string, wanted: number, got: string): PolyvisorError {
  return new PolyvisorError('corrupt', {
    what: 'server sent a wrong number of bytes',
    which: withoutSecrets(url),
    limit: `${got} instead of ${wanted}`,
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error
    ? cause.message || ((cause as { code?: string }).code ?? error.message)
    : error.message;
}

/** A URL without user, password and query: those may be secret. */
export function withoutSecrets(text: string): string {
  try {
    const url = new URL(text);
    return `${url.protocol}//${url.host}${url.pathname}`;
  } catch {
    return text;
  }
}
