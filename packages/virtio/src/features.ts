/**
 * Feature bits that belong to the transport and the queues, not to one device type (VIRTIO 1.3, section 6).
 * bigint, because the space is 64 bits wide; negotiated once per activation, never on a hot path.
 */
export const VIRTIO_F_INDIRECT_DESC = 1n << 28n;
export const VIRTIO_F_EVENT_IDX = 1n << 29n;
export const VIRTIO_F_VERSION_1 = 1n << 32n;
export const VIRTIO_F_RING_PACKED = 1n << 34n;
