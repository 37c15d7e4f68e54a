import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { PolyvisorError } from '@polyvisor/contracts';

/** Processes that a VM consists of. */
export const processRoles = ['cpu', 'devices', 'block'] as const;
export type ProcessRole = (typeof processRoles)[number];

/** Levels of logs, as pino and the command line name them. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Descriptors of a disk's buffer pool, and the bytes of its data. */
export interface InheritedDiskPool {
  readonly poolFd: number;
  readonly dataBytes: number;
  readonly wakeFd: number;
  readonly peerFd: number;
}

/** Descriptors that a process has inherited, for shared mode. Numbers count in the process itself. */
export interface InheritedDescriptors {
  readonly ramFd: number;
  readonly flagsFd: number;
  readonly ringFd: number;
  readonly wakeFd: number;
  readonly peerFd: number;
}

/**
 * What a process of a VM is told by its supervisor, as one line of JSON through a pipe: neither arguments nor
 * environment, which others may read. The pipe stays open; when it closes, the supervisor is gone and so is the process.
 */
export interface ProcessSetup {
  readonly role: ProcessRole;
  readonly vm: string;
  /** Endpoints, as text. */
  readonly listen: readonly string[];
  /** Ed25519, DER of SubjectPublicKeyInfo as base64: who signs tokens. */
  readonly publicKey: string;
  /** Whom tokens for this process are made out to. */
  readonly audience: string;
  /** Tokens that this process shows to its peers. */
  readonly tokens: Readonly<Partial<Record<ProcessRole, string>>>;
  /** Key that capabilities are signed with, DER of PKCS #8 as base64: a block host that is started again keeps its promises. */
  readonly capabilityKey?: string;
  /** How many processes there were before in this one's place: what an older one does is fenced. */
  readonly generation: number;
  readonly inherited?: InheritedDescriptors;
  /** Buffer pools of disks by volume. */
  readonly pools?: Readonly<Record<string, InheritedDiskPool>>;
  /** Unix socket for figures. */
  readonly metrics?: string;
  readonly logLevel: LogLevel;
  /** It was started confined, and has to finish that. */
  readonly confined: boolean;
}

/** What a process answers, a line of JSON each. */
export type ProcessMessage =
  | { readonly kind: 'ready'; readonly endpoints: readonly string[]; readonly confinement: readonly string[] }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/**
 * Reads a setup.
 * @throws PolyvisorError `invalid-argument` naming the field.
 */
export function parseProcessSetup(text: string): ProcessSetup {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad('text', 'not JSON');
  }
  const setup = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const check = (field: string, good: boolean, limit: string): void => {
    if (!good) throw bad(field, limit);
  };
  const { role, vm, listen, publicKey, audience, tokens, inherited, pools, metrics, logLevel, confined } =
    setup;
  check('role', processRoles.includes(role as ProcessRole), processRoles.join(', '));
  check('vm', isText(vm), 'a name');
  check('listen', Array.isArray(listen) && listen.length > 0 && listen.every(isText), 'endpoints');
  check('publicKey', isText(publicKey), 'base64');
  check('audience', isText(audience), 'a name');
  check('tokens', isRecord(tokens, isText), 'texts by role');
  check('metrics', metrics === undefined || isText(metrics), 'a path');
  check('logLevel', logLevels.includes(logLevel as LogLevel), logLevels.join(', '));
  check('confined', typeof confined === 'boolean', 'true or false');
  check('inherited', inherited === undefined || isRecord(inherited, isDescriptor), 'descriptors');
  check('pools', pools === undefined || isRecord(pools, isPool), 'descriptors by volume');
  const { generation } = setup;
  check('generation', Number.isSafeInteger(generation) && Number(generation) >= 0, 'a number');
  check('capabilityKey', setup['capabilityKey'] === undefined || isText(setup['capabilityKey']), 'base64');
  return value as ProcessSetup;
}

/** @throws PolyvisorError `invalid-argument`. */
export function publicKeyOf({ publicKey }: Pick<ProcessSetup, 'publicKey'>): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
  } catch {
    throw bad('publicKey', 'DER of an Ed25519 key as base64');
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isDescriptor(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value > 2 && value < 1024;
}

function isPool(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { poolFd, wakeFd, peerFd, dataBytes } = value as Record<string, unknown>;
  return [poolFd, wakeFd, peerFd].every(isDescriptor) && Number.isSafeInteger(dataBytes);
}

function isRecord(value: unknown, each: (value: unknown) => boolean): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every(each);
}

function bad(which: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: 'bad setup of a process', which, limit });
}
