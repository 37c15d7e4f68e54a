/** Memory balloon device (VIRTIO 1.3, section 5.5). */

export const VIRTIO_ID_BALLOON = 5;

export const VIRTIO_BALLOON_F_STATS_VQ = 1n << 1n;
export const VIRTIO_BALLOON_F_DEFLATE_ON_OOM = 1n << 2n;
export const VIRTIO_BALLOON_F_PAGE_POISON = 1n << 4n;
export const VIRTIO_BALLOON_F_PAGE_REPORTING = 1n << 5n;

export const INFLATE_QUEUE = 0;
export const DEFLATE_QUEUE = 1;
export const STATS_QUEUE = 2;
/**
 * The spec gives the reporting queue number 4; Linux and QEMU leave out queues whose feature is absent, which
 * makes it 3, or 2 without statistics.
 */
export const QUEUES = 5;

/** Unit of every page number, whatever the guest's page size. */
export const PAGE_BYTES = 4096;
export const PAGE_NUMBER_BYTES = 4;
/** tag, value */
export const STATISTIC_BYTES = 10;

/** Offsets in configuration space. */
export const CONFIG_NUM_PAGES = 0;
export const CONFIG_ACTUAL = 4;
export const CONFIG_POISON_VAL = 12;
export const CONFIG_BYTES = 16;
