// The softmmu: everything of a guest memory access that doesn't fit the inlined TLB probe.
export { load, store, rmw, cas, fetch, fetch_check, forget_records, keep_records } from './access';
export { flush_all, flush_page, flush_fetch, drop_write_entries } from './tlb';
export { configure, host_address, journal_position, journal_start, keep_private, read_physical, write_physical } from './physical';
