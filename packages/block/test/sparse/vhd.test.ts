import { describeSparseFormat } from './format-suite.ts';

const MIB = 1024 * 1024;
const values = { force_size: true };

describeSparseFormat('VHD, dynamic', { format: 'vpc', values, size: 5 * MIB });
describeSparseFormat('VHD, fixed', {
  format: 'vpc',
  values: { ...values, subformat: 'fixed' },
  size: 3 * MIB,
});
describeSparseFormat('VHD, differencing', { format: 'vpc', values, size: 5 * MIB, backed: true });
