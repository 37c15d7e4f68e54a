/** Network device (VIRTIO 1.3, section 5.1). */

export const VIRTIO_ID_NET = 1;

export const VIRTIO_NET_F_CSUM = 1n << 0n;
export const VIRTIO_NET_F_GUEST_CSUM = 1n << 1n;
export const VIRTIO_NET_F_MAC = 1n << 5n;
export const VIRTIO_NET_F_GUEST_TSO4 = 1n << 7n;
export const VIRTIO_NET_F_GUEST_TSO6 = 1n << 8n;
export const VIRTIO_NET_F_HOST_TSO4 = 1n << 11n;
export const VIRTIO_NET_F_HOST_TSO6 = 1n << 12n;
export const VIRTIO_NET_F_MRG_RXBUF = 1n << 15n;
export const VIRTIO_NET_F_STATUS = 1n << 16n;
export const VIRTIO_NET_F_CTRL_VQ = 1n << 17n;
export const VIRTIO_NET_F_CTRL_RX = 1n << 18n;
export const VIRTIO_NET_F_CTRL_RX_EXTRA = 1n << 20n;
export const VIRTIO_NET_F_GUEST_ANNOUNCE = 1n << 21n;
export const VIRTIO_NET_F_CTRL_MAC_ADDR = 1n << 23n;

export const RECEIVE_QUEUE = 0;
export const TRANSMIT_QUEUE = 1;
export const CONTROL_QUEUE = 2;

export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
export const VIRTIO_NET_HDR_GSO_NONE = 0;
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1;
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4;
export const VIRTIO_NET_HDR_GSO_ECN = 0x80;

/** Offsets in the header before each frame. */
export const HEADER_FLAGS = 0;
export const HEADER_GSO_TYPE = 1;
export const HEADER_HDR_LEN = 2;
export const HEADER_GSO_SIZE = 4;
export const HEADER_CSUM_START = 6;
export const HEADER_CSUM_OFFSET = 8;
export const HEADER_NUM_BUFFERS = 10;
export const HEADER_BYTES = 12;

/** Status bits in configuration space. */
export const VIRTIO_NET_S_LINK_UP = 1;
export const VIRTIO_NET_S_ANNOUNCE = 2;

/** Classes and commands of the control queue. */
export const VIRTIO_NET_CTRL_RX = 0;
export const VIRTIO_NET_CTRL_MAC = 1;
export const VIRTIO_NET_CTRL_MAC_TABLE_SET = 0;
export const VIRTIO_NET_CTRL_MAC_ADDR_SET = 1;
export const VIRTIO_NET_CTRL_ANNOUNCE = 3;
export const VIRTIO_NET_CTRL_ANNOUNCE_ACK = 0;
export const VIRTIO_NET_OK = 0;
export const VIRTIO_NET_ERR = 1;

/** Offsets in configuration space. */
export const CONFIG_MAC = 0;
export const CONFIG_STATUS = 6;
export const CONFIG_BYTES = 12;

export const MAC_BYTES = 6;
export const ETHERNET_HEADER_BYTES = 14;
