// Fields of CSRs (Privileged Architecture 1.13), by their names there.
export const STATUS_SIE: u64 = 1 << 1;
export const STATUS_MIE: u64 = 1 << 3;
export const STATUS_SPIE: u64 = 1 << 5;
export const STATUS_MPIE: u64 = 1 << 7;
export const STATUS_SPP: u64 = 1 << 8;
export const STATUS_MPP: u64 = 3 << 11;
export const STATUS_MPP_SHIFT: u64 = 11;
export const STATUS_FS: u64 = 3 << 13;
export const STATUS_FS_SHIFT: u64 = 13;
export const STATUS_MPRV: u64 = 1 << 17;
export const STATUS_SUM: u64 = 1 << 18;
export const STATUS_MXR: u64 = 1 << 19;
export const STATUS_TVM: u64 = 1 << 20;
export const STATUS_TW: u64 = 1 << 21;
export const STATUS_TSR: u64 = 1 << 22;
export const STATUS_UXL: u64 = 3 << 32;
export const STATUS_SXL: u64 = 3 << 34;
export const STATUS_SD: u64 = 1 << 63;
/** What S-mode sees of mstatus, and may write of it. */
export const SSTATUS_READ: u64 =
  STATUS_SIE | STATUS_SPIE | STATUS_SPP | STATUS_FS | STATUS_SUM | STATUS_MXR | STATUS_UXL | STATUS_SD;
export const SSTATUS_WRITE: u64 = STATUS_SIE | STATUS_SPIE | STATUS_SPP | STATUS_FS | STATUS_SUM | STATUS_MXR;
export const MSTATUS_WRITE: u64 =
  SSTATUS_WRITE | STATUS_MIE | STATUS_MPIE | STATUS_MPP | STATUS_MPRV | STATUS_TVM | STATUS_TW | STATUS_TSR;

// Interrupts: bits of mip, mie, mideleg
export const IP_SSIP: u64 = 1 << 1;
export const IP_MSIP: u64 = 1 << 3;
export const IP_STIP: u64 = 1 << 5;
export const IP_MTIP: u64 = 1 << 7;
export const IP_SEIP: u64 = 1 << 9;
export const IP_MEIP: u64 = 1 << 11;
export const IP_SUPERVISOR: u64 = IP_SSIP | IP_STIP | IP_SEIP;
export const IP_ALL: u64 = IP_SUPERVISOR | IP_MSIP | IP_MTIP | IP_MEIP;

// menvcfg, senvcfg
export const ENVCFG_FIOM: u64 = 1;
export const ENVCFG_CBIE: u64 = 3 << 4;
export const ENVCFG_CBIE_SHIFT: u64 = 4;
export const ENVCFG_CBCFE: u64 = 1 << 6;
export const ENVCFG_CBZE: u64 = 1 << 7;
export const ENVCFG_ADUE: u64 = 1 << 61;
export const ENVCFG_PBMTE: u64 = 1 << 62;
export const ENVCFG_STCE: u64 = 1 << 63;
export const SENVCFG_WRITE: u64 = ENVCFG_FIOM | ENVCFG_CBIE | ENVCFG_CBCFE | ENVCFG_CBZE;
export const MENVCFG_WRITE: u64 = SENVCFG_WRITE | ENVCFG_ADUE | ENVCFG_PBMTE | ENVCFG_STCE;

// Page table entries
export const PTE_V: u64 = 1;
export const PTE_R: u64 = 2;
export const PTE_W: u64 = 4;
export const PTE_X: u64 = 8;
export const PTE_U: u64 = 16;
export const PTE_A: u64 = 64;
export const PTE_D: u64 = 128;
export const PTE_PPN: u64 = 0x003f_ffff_ffff_fc00;
export const PTE_RESERVED: u64 = 0x1fc0_0000_0000_0000;
export const PTE_PBMT: u64 = 3 << 61;
export const PTE_N: u64 = 1 << 63;

// Kinds of access, as the softmmu numbers them
export const READ: i32 = 0;
export const WRITE: i32 = 1;
export const EXECUTE: i32 = 2;

/** `features` bit: ecall from S-mode is served by the host (built-in firmware). */
export const FEATURE_SBI: u32 = 1;
/** `features` bit: other vCPUs may have written code; fence.i must ask the host. */
export const FEATURE_SMP: u32 = 2;
