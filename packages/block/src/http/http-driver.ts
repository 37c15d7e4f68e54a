import { PolyvisorError } from '@polyvisor/contracts';
import type { ProtocolDriver } from '../graph/driver.ts';
import { openHttpNode } from './http-node.ts';

const MS_PER_S = 1000;

/** Files on web servers, read-only. */
export const httpDriver: ProtocolDriver = {
  openOptions: [
    { name: 'url', type: 'string', help: 'address of the file' },
    { name: 'timeout', type: 'number', default: 30, help: 'seconds for one request' },
    { name: 'retries', type: 'number', default: 3, help: 'repetitions of a request that failed' },
  ],
  async open({ reference, values, readOnly, signal }) {
    const url = reference ?? values['url'];
    if (typeof url !== 'string')
      throw new PolyvisorError('invalid-argument', { what: 'http driver needs a url' });
    if (!readOnly) {
      throw new PolyvisorError('permission', {
        what: 'files on web servers are read-only',
        which: url,
        hint: 'make an overlay: polyvisor img create -f qcow2 -b URL -F FORMAT FILE',
      });
    }
    const timeoutMs = Number(values['timeout']) * MS_PER_S;
    return openHttpNode({ url, timeoutMs, retries: Number(values['retries']) }, signal);
  },
};
