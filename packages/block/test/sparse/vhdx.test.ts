import { describeSparseFormat } from './format-suite.ts';

const MIB = 1024 * 1024;
const values = { block_size: MIB };

describeSparseFormat('VHDX, dynamic', { format: 'vhdx', values, size: 5 * MIB });
describeSparseFormat('VHDX, large blocks, 4 KiB sectors', {
  format: 'vhdx',
  values: { logical_sector_size: '4096', block_state_zero: false },
  size: 12 * MIB,
  granule: 4096,
});
describeSparseFormat('VHDX, fixed', {
  format: 'vhdx',
  values: { ...values, subformat: 'fixed' },
  size: 3 * MIB,
});
describeSparseFormat('VHDX, differencing', { format: 'vhdx', values, size: 5 * MIB, backed: true });
