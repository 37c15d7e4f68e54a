import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLOutputValue, StatementSync } from 'node:sqlite';
import { PolyvisorError } from '@polyvisor/contracts';
import type { VmState } from '@polyvisor/proto/service/node';
import { migrations } from './migrations.ts';

/** What a node remembers of a VM. */
export interface VmRecord {
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly spec: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly state: VmState;
  readonly reason: string;
  /** It is to run, whatever happens to its processes. */
  readonly wanted: boolean;
  readonly createdMs: number;
  readonly startedMs: number;
  readonly restarts: number;
  readonly exitStatus: number | undefined;
}

export interface EventRecord {
  readonly sequence: number;
  readonly timeMs: number;
  readonly vm: string;
  readonly kind: string;
  readonly message: string;
}

/** How a request was answered. */
export type AnswerRecord =
  | { readonly kind: 'response'; readonly method: string; readonly response: Uint8Array }
  | { readonly kind: 'error'; readonly method: string; readonly code: string; readonly message: string };

export interface ProcessRecord {
  readonly pid: number;
  readonly began: string;
  readonly vm: string;
  readonly role: string;
  readonly folder: string;
}

/** A node's memory. Each call is a transaction that a kill -9 right after it doesn't undo. */
export interface NodeStore {
  vms(): VmRecord[];
  /** @throws PolyvisorError `already-exists` for the name. */
  insertVm(vm: VmRecord): void;
  updateVm(vm: VmRecord): void;
  deleteVm(id: string): void;
  /** @returns its sequence number. */
  addEvent(event: Omit<EventRecord, 'sequence'>): number;
  /** The oldest first, at most `limit`. */
  events(sinceMs: number, afterSequence: number, limit: number): EventRecord[];
  answer(requestId: string): AnswerRecord | undefined;
  setAnswer(requestId: string, answer: AnswerRecord, timeMs: number): void;
  processes(): ProcessRecord[];
  addProcess(process: ProcessRecord): void;
  removeProcesses(vm: string): void;
  /** Forgets answers before that time, and events beyond the newest ones. */
  trim(answersBeforeMs: number, eventsLeft: number): void;
  close(): void;
}

/**
 * Opens the database in a folder, or makes it.
 * @throws PolyvisorError `unsupported` for a database of a newer version; `io`.
 */
export function openNodeStore(folder: string): NodeStore {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'node.db');
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path);
    // One node at a time: the lock is the process's, and ends with it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    database.exec('BEGIN IMMEDIATE; COMMIT;');
  } catch (cause) {
    if (String(cause).includes('locked')) {
      const hint = 'stop it, or give another --state folder';
      throw new PolyvisorError('busy', {
        what: 'another node has this state folder',
        which: folder,
        hint,
        cause,
      });
    }
    const limit = cause instanceof Error ? cause.message : String(cause);
    throw new PolyvisorError('io', { what: "can't open the node's database", which: path, limit, cause });
  }
  migrate(database, path);
  return new Store(database);
}

function migrate(database: DatabaseSync, path: string): void {
  const done = Number(Object.values(database.prepare('PRAGMA user_version').get() ?? {})[0] ?? 0);
  if (done > migrations.length) {
    database.close();
    throw new PolyvisorError('unsupported', {
      what: "the node's database is of a newer version",
      which: path,
      limit: `version ${done}, known up to ${migrations.length}`,
      hint: 'use that version of polyvisor, or another --state folder',
    });
  }
  for (const [index, step] of migrations.entries()) {
    if (index < done) continue;
    database.exec(`BEGIN IMMEDIATE; ${step} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}

type Row = Record<string, SQLOutputValue>;

class Store implements NodeStore {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }

  vms(): VmRecord[] {
    return this.#statement('SELECT * FROM vms ORDER BY created_ms, id').all().map(vmOf);
  }

  insertVm(vm: VmRecord): void {
    const sql = `INSERT INTO vms VALUES (:id, :name, :spec, :cpus, :memoryBytes, :state, :reason, :wanted, :createdMs,
      :startedMs, :restarts, :exitStatus)`;
    try {
      this.#statement(sql).run(parametersOf(vm));
    } catch (cause) {
      if (!String(cause).includes('UNIQUE')) throw cause;
      throw new PolyvisorError('already-exists', {
        what: 'there is a VM of that name',
        which: vm.name,
        cause,
      });
    }
  }

  updateVm(vm: VmRecord): void {
    const sql = `UPDATE vms SET name = :name, spec = :spec, cpus = :cpus, memory_bytes = :memoryBytes, state = :state,
      reason = :reason, wanted = :wanted, created_ms = :createdMs, started_ms = :startedMs, restarts = :restarts,
      exit_status = :exitStatus WHERE id = :id`;
    this.#statement(sql).run(parametersOf(vm));
  }

  deleteVm(id: string): void {
    this.#statement('DELETE FROM vms WHERE id = ?').run(id);
  }

  addEvent({ timeMs, vm, kind, message }: Omit<EventRecord, 'sequence'>): number {
    const sql = 'INSERT INTO events (time_ms, vm, kind, message) VALUES (?, ?, ?, ?)';
    return Number(this.#statement(sql).run(timeMs, vm, kind, message).lastInsertRowid);
  }

  events(sinceMs: number, afterSequence: number, limit: number): EventRecord[] {
    const sql = 'SELECT * FROM events WHERE time_ms >= ? AND sequence > ? ORDER BY sequence LIMIT ?';
    return this.#statement(sql)
      .all(sinceMs, afterSequence, limit)
      .map((row) => ({
        sequence: Number(row['sequence']),
        timeMs: Number(row['time_ms']),
        vm: String(row['vm']),
        kind: String(row['kind']),
        message: String(row['message']),
      }));
  }

  answer(requestId: string): AnswerRecord | undefined {
    const row = this.#statement('SELECT * FROM requests WHERE id = ?').get(requestId);
    if (row === undefined) return undefined;
    const method = String(row['method']);
    if (row['response'] instanceof Uint8Array) return { kind: 'response', method, response: row['response'] };
    return {
      kind: 'error',
      method,
      code: String(row['error_code']),
      message: String(row['error_message']),
    };
  }

  setAnswer(requestId: string, answer: AnswerRecord, timeMs: number): void {
    const failed = answer.kind === 'error';
    this.#statement('INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?, ?, ?)').run(
      requestId,
      answer.method,
      timeMs,
      failed ? null : answer.response,
      failed ? answer.code : null,
      failed ? answer.message : null,
    );
  }

  processes(): ProcessRecord[] {
    return this.#statement('SELECT * FROM processes')
      .all()
      .map((row) => ({
        pid: Number(row['pid']),
        began: String(row['began']),
        vm: String(row['vm']),
        role: String(row['role']),
        folder: String(row['folder']),
      }));
  }

  addProcess({ pid, began, vm, role, folder }: ProcessRecord): void {
    const sql = 'INSERT OR REPLACE INTO processes VALUES (?, ?, ?, ?, ?)';
    this.#statement(sql).run(pid, began, vm, role, folder);
  }

  removeProcesses(vm: string): void {
    this.#statement('DELETE FROM processes WHERE vm = ?').run(vm);
  }

  trim(answersBeforeMs: number, eventsLeft: number): void {
    this.#statement('DELETE FROM requests WHERE time_ms < ?').run(answersBeforeMs);
    this.#statement('DELETE FROM events WHERE sequence <= (SELECT max(sequence) FROM events) - ?').run(
      eventsLeft,
    );
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function parametersOf(vm: VmRecord): Record<string, string | number | null> {
  return { ...vm, wanted: vm.wanted ? 1 : 0, exitStatus: vm.exitStatus ?? null };
}

function vmOf(row: Row): VmRecord {
  const status = row['exit_status'];
  return {
    id: String(row['id']),
    name: String(row['name']),
    spec: String(row['spec']),
    cpus: Number(row['cpus']),
    memoryBytes: Number(row['memory_bytes']),
    state: String(row['state']) as VmState,
    reason: String(row['reason']),
    wanted: row['wanted'] === 1,
    createdMs: Number(row['created_ms']),
    startedMs: Number(row['started_ms']),
    restarts: Number(row['restarts']),
    exitStatus: typeof status === 'number' ? status : undefined,
  };
}
