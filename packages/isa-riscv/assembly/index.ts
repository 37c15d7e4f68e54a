// The privileged side of a RISC-V hart: what translated code calls, and what the vCPU's loop calls.
export { access_fault, misaligned, raise, walk } from './walk';
export { csr_access } from './csr';
export { deliver, ebreak, ecall, interrupt_due, mret, poll, sret, wakeup, wfi } from './trap';
export { clmul, clmulr, xperm4, xperm8 } from './bitmanip';
export { cbo, fence_i, refresh, sfence } from './system';
export { illegal_state } from './legal-state';
export { fp_dirty, updateMode as update_mode } from './mode';
export { configure } from '@polyvisor/tcg/assembly/physical';
