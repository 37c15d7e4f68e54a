// The softmmu: everything of a guest memory access that doesn't fit the inlined TLB probe.
export { load, store, rmw, cas, fetch, fetch_check } from './access';
export { flush_all, flush_page, flush_fetch, drop_write_entries } from './tlb';
export { configure, read_physical, write_physical, host_address } from './physical';
