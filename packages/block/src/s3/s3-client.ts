import { PolyvisorError } from '@polyvisor/contracts';
import type { HttpOptions } from '../http/http-fetch.ts';
import { readBody, request } from '../http/http-fetch.ts';
import type { S3Credentials } from './sign-request.ts';
import { signRequest } from './sign-request.ts';

/** Where objects are. */
export interface S3Options extends HttpOptions {
  /** `https://s3.example.org`; objects are at ENDPOINT/BUCKET/KEY. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Stands before the names of all objects. */
  readonly prefix: string;
  readonly credentials: S3Credentials;
  /** Default: the system's clock. */
  readonly now?: () => Date;
}

/**
 * Four verbs of S3's API, path-style, signed here and sent by `fetch`: the vendor's library would bring dozens of packages
 * for them.
 */
export class S3Client {
  readonly #options: S3Options;

  constructor(options: S3Options) {
    this.#options = options;
  }

  /** What errors name. */
  get name(): string {
    const { bucket, prefix } = this.#options;
    return `s3://${bucket}/${prefix}`;
  }

  /** Fills `target` with the bytes of an object; false when there is none. */
  async get(key: string, offset: number, target: Uint8Array, signal?: AbortSignal): Promise<boolean> {
    const range = `bytes=${offset}-${offset + target.length - 1}`;
    const response = await this.#send('GET', key, { range }, undefined, signal);
    if (response.status === 404) {
      await response.body?.cancel();
      return false;
    }
    if (response.status !== 206 && response.status !== 200) throw await this.#error(response, key);
    await readBody(response, target, this.name + key);
    return true;
  }

  /** A small object, whole; undefined when there is none. */
  async getText(key: string, signal?: AbortSignal): Promise<string | undefined> {
    const response = await this.#send('GET', key, {}, undefined, signal);
    if (response.status === 200) return response.text();
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    throw await this.#error(response, key);
  }

  /** Durable when it resolves. */
  async put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    const response = await this.#send('PUT', key, {}, body, signal);
    if (response.status !== 200) throw await this.#error(response, key);
    await response.body?.cancel();
  }

  /** One that isn't there is no error. */
  async delete(key: string, signal?: AbortSignal): Promise<void> {
    const response = await this.#send('DELETE', key, {}, undefined, signal);
    if (response.status !== 204 && response.status !== 200 && response.status !== 404)
      throw await this.#error(response, key);
    await response.body?.cancel();
  }

  #send(
    method: string,
    key: string,
    headers: Record<string, string>,
    body: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const { endpoint, bucket, prefix, credentials, now = () => new Date() } = this.#options;
    const path = `${bucket}/${prefix}${key}`.split('/').map(encodeURIComponent).join('/');
    const url = new URL(`${endpoint.replace(/\/$/, '')}/${path}`);
    // Signed anew for each attempt: signatures are good for some minutes.
    const init = async (): Promise<RequestInit> => ({
      method,
      headers: await signRequest(
        { method, url, headers, ...(body === undefined ? {} : { body }) },
        credentials,
        now(),
      ),
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
    });
    return request(url.href, init, this.#options, signal);
  }

  async #error(response: Response, key: string): Promise<PolyvisorError> {
    const text = (await response.text()).slice(0, 4096);
    const code = /<Code>([A-Za-z0-9]+)<\/Code>/.exec(text)?.[1];
    return new PolyvisorError(response.status === 401 || response.status === 403 ? 'permission' : 'io', {
      what: 'object store refuses',
      which: this.name + key,
      limit: `HTTP status ${response.status}${code === undefined ? '' : `, ${code}`}`,
    });
  }
}
