/** Registers of the Goldfish RTC, 32 bits each. */

/** Reading it latches the high half. */
export const RTC_TIME_LOW = 0x00;
export const RTC_TIME_HIGH = 0x04;
/** Writing it sets the alarm; the high half is written first. */
export const RTC_ALARM_LOW = 0x08;
export const RTC_ALARM_HIGH = 0x0c;
export const RTC_IRQ_ENABLED = 0x10;
export const RTC_CLEAR_ALARM = 0x14;
export const RTC_ALARM_STATUS = 0x18;
export const RTC_CLEAR_INTERRUPT = 0x1c;
