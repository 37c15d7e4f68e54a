import { describeSparseFormat } from './format-suite.ts';

const MIB = 1024 * 1024;

describeSparseFormat('VMDK, sparse', { format: 'vmdk', values: {}, size: 5 * MIB });
describeSparseFormat('VMDK, zeroed grains', {
  format: 'vmdk',
  values: { zeroed_grain: true },
  size: 3 * MIB,
});
describeSparseFormat('VMDK, with a parent', { format: 'vmdk', values: {}, size: 3 * MIB, backed: true });
describeSparseFormat('VMDK, zeroed grains and a parent', {
  format: 'vmdk',
  values: { zeroed_grain: true },
  size: 3 * MIB,
  backed: true,
});
