/** Entropy device (VIRTIO 1.3, section 5.4). */

export const VIRTIO_ID_RNG = 4;
export const REQUEST_QUEUE = 0;
