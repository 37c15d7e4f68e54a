/** 9P transport (VIRTIO 1.3, section 5.14; Linux, include/uapi/linux/virtio_9p.h). */

export const VIRTIO_ID_9P = 9;

/** The device has a mount tag. */
export const VIRTIO_9P_F_MOUNT_TAG = 1n << 0n;

/** tag_len[2] and the tag. */
export const CONFIG_TAG = 2;
/** Configuration space has 256 bytes. */
export const TAG_BYTES_LIMIT = 254;

/** size[4] type[1] tag[2]: the least that a request is. */
export const REQUEST_BYTES_MIN = 7;
/** Header and error number: the least room that a reply needs. */
export const REPLY_BYTES_MIN = 11;
