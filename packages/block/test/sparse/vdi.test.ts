import { describeSparseFormat } from './format-suite.ts';

const MIB = 1024 * 1024;

describeSparseFormat('VDI, dynamic', { format: 'vdi', values: {}, size: 5 * MIB });
describeSparseFormat('VDI, fixed', { format: 'vdi', values: { static: true }, size: 3 * MIB });
describeSparseFormat('VDI, differencing', { format: 'vdi', values: {}, size: 4 * MIB, backed: true });
