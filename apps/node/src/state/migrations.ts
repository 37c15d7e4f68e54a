/**
 * Steps from an empty database to the present form; each runs once, in a transaction. Steps are added, never changed:
 * `user_version` counts those that were done.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE vms (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     -- polyvisor.node.v1.VmSpec as JSON.
     spec TEXT NOT NULL,
     cpus INTEGER NOT NULL,
     memory_bytes INTEGER NOT NULL,
     state TEXT NOT NULL,
     reason TEXT NOT NULL,
     -- 1: it is to run, whatever happens to its processes.
     wanted INTEGER NOT NULL,
     created_ms INTEGER NOT NULL,
     started_ms INTEGER NOT NULL,
     restarts INTEGER NOT NULL,
     exit_status INTEGER
   ) STRICT;
   CREATE TABLE events (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT,
     time_ms INTEGER NOT NULL,
     vm TEXT NOT NULL,
     kind TEXT NOT NULL,
     message TEXT NOT NULL
   ) STRICT;
   CREATE INDEX events_by_time ON events (time_ms);
   -- Requests that were answered: the same again is answered as the first time.
   CREATE TABLE requests (
     id TEXT PRIMARY KEY,
     method TEXT NOT NULL,
     time_ms INTEGER NOT NULL,
     response BLOB,
     error_code TEXT,
     error_message TEXT
   ) STRICT;
   -- Processes of VMs, so that a node that is started again finds those that outlived the one before.
   CREATE TABLE processes (
     pid INTEGER NOT NULL,
     -- When it began, in ticks since the host's boot: process numbers come again.
     began TEXT NOT NULL,
     vm TEXT NOT NULL,
     role TEXT NOT NULL,
     folder TEXT NOT NULL,
     PRIMARY KEY (pid, began)
   ) STRICT;`,
];
