import { parentPort, workerData } from 'node:worker_threads';
import { attack } from './attack.ts';
import type { Targets } from './targets.ts';

parentPort?.postMessage(await attack(workerData as Targets, 'here'));
