/* Numbers of the RISC-V Supervisor Binary Interface specification 2.0. */

// Chapter 3.2: error codes.
export const SBI_SUCCESS = 0;
export const SBI_ERR_FAILED = -1;
export const SBI_ERR_NOT_SUPPORTED = -2;
export const SBI_ERR_INVALID_PARAM = -3;
export const SBI_ERR_INVALID_ADDRESS = -5;
export const SBI_ERR_ALREADY_AVAILABLE = -6;

/** Version 2.0: major in bits 24-30. */
export const SBI_VERSION = 0x0200_0000;
/** Not in the registry of implementations, which ends far below. */
export const SBI_IMPLEMENTATION_ID = 0x7076;
export const SBI_IMPLEMENTATION_VERSION = 1;

// Extension ids.
export const EID_SET_TIMER = 0x00;
export const EID_CONSOLE_PUTCHAR = 0x01;
export const EID_CONSOLE_GETCHAR = 0x02;
export const EID_SHUTDOWN = 0x08;
export const EID_BASE = 0x10;
export const EID_TIME = 0x5449_4d45;
export const EID_IPI = 0x0073_5049;
export const EID_RFENCE = 0x5246_4e43;
export const EID_HSM = 0x0048_534d;
export const EID_SRST = 0x5352_5354;
export const EID_DBCN = 0x4442_434e;

// Chapter 10: system reset.
export const SRST_SHUTDOWN = 0;
export const SRST_COLD_REBOOT = 1;
export const SRST_WARM_REBOOT = 2;
export const SRST_REASON_NONE = 0;
export const SRST_REASON_FAILURE = 1;

// Chapter 9: types of hart suspend.
export const SUSPEND_RETENTIVE = 0;
